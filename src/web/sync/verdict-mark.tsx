import type { Culprit, VerdictLevel } from '../../observing/sync-message.ts';
import { Icon, type IconName } from '../parts/icons.tsx';
import { syncTexts } from '../text/sync-texts.ts';

const icons: Readonly<Record<Culprit, IconName>> = {
  nobody: 'good',
  source: 'streams',
  server: 'server',
  network: 'network',
  player: 'speaker',
  unclear: 'unclear',
};

/** By icon, word and colour: none of them stands alone. */
export function VerdictMark({
  who,
  level,
}: {
  readonly who: Culprit;
  readonly level: VerdictLevel;
}) {
  return (
    <span class={`verdict ${level}`}>
      <Icon name={icons[who]} />
      {syncTexts.value.culprits[who]}
    </span>
  );
}
