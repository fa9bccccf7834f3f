import { permit } from '../control/login.ts';
import { Icon } from '../parts/icons.tsx';
import { texts } from '../text/texts.ts';
import { playAgain, type RecentObject, recent } from './announcing.ts';
import { targetNames } from './target-names.ts';

/** The last ones, which the server remembers: one tap announces them again. */
export function Recent() {
  const { announce: words } = texts.value;
  if (recent.value.length === 0) return null;
  return (
    <section class="card" aria-label={words.recent}>
      <h2>{words.recent}</h2>
      <ul class="clips">
        {recent.value.map((one) => (
          <li key={one.id} class="line">
            <span class="cut">
              {labelOf(one)} <span class="hint">{targetNames(one.targets)}</span>
            </span>
            {one.again ? (
              <button
                type="button"
                class="quiet end"
                aria-label={words.againOf(labelOf(one), targetNames(one.targets))}
                {...permit('Announce.PlayAgain')}
                onClick={() => void playAgain(one.id)}
              >
                <Icon name="again" /> {words.again}
              </button>
            ) : (
              <span class="hint end">{words.notKept}</span>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function labelOf({ kind, label }: RecentObject): string {
  const { announce: words } = texts.value;
  if (kind === 'chime') return words.chimes[label] ?? label;
  return label === '' ? words.sounds.voice : label;
}
