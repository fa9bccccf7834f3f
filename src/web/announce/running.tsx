import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { permit } from '../control/login.ts';
import { Icon } from '../parts/icons.tsx';
import { texts } from '../text/texts.ts';
import { type Announcement, announcements, isOver, stop } from './announcing.ts';
import { targetNames } from './target-names.ts';

/** What is being announced, on the timeline of what is heard. */
export function Running() {
  const all = announcements.value;
  if (all.length === 0) return null;
  return (
    <section class="running" aria-label={texts.value.announce.running}>
      {all.map((announcement) => (
        <RunningCard key={announcement.id} announcement={announcement} />
      ))}
    </section>
  );
}

function RunningCard({ announcement }: { readonly announcement: Announcement }) {
  const { announce: words } = texts.value;
  const { id, state, heardMs, duration, reason, targets } = announcement;
  const nowMs = useNow(state === 'playing');
  const isHeard = state === 'playing' && heardMs !== undefined && nowMs >= heardMs;
  const part = partOf(announcement, nowMs);
  const name = targetNames(targets);
  return (
    <div class={`card ${state}`}>
      <div class="line">
        <strong class="cut">{isHeard ? words.now : words.states[state]}</strong>
        <span class="hint cut">{name}</span>
        {isOver(announcement) || (
          <button
            type="button"
            class="end"
            aria-label={words.stopOf(name)}
            {...permit('Announce.Stop')}
            onClick={() => stop(id)}
          >
            <Icon name="stop" /> {words.stop}
          </button>
        )}
      </div>
      <progress aria-label={words.progress} {...(part !== undefined && { value: part })} />
      <span class="hint" aria-hidden="true">
        {timeOf({ heardMs, duration, nowMs, isHeard }) || reason || ' '}
      </span>
      <span class="unseen" role="status">
        {isHeard ? words.now : words.states[state]} {isOver(announcement) && reason}
      </span>
    </div>
  );
}

/** So much of the way from the request to the end is gone; `undefined`: nobody knows yet. */
function partOf(announcement: Announcement, nowMs: number): number | undefined {
  const { state, heardMs, duration } = announcement;
  if (isOver(announcement)) return state === 'done' ? 1 : 0;
  if (state !== 'playing' || heardMs === undefined || duration === undefined) return undefined;
  return Math.min(1, Math.max(0, (nowMs - heardMs) / duration));
}

function timeOf({
  heardMs,
  duration,
  nowMs,
  isHeard,
}: {
  readonly heardMs: number | undefined;
  readonly duration: number | undefined;
  readonly nowMs: number;
  readonly isHeard: boolean;
}): string {
  const { announce: words } = texts.value;
  if (heardMs === undefined) return '';
  if (!isHeard) return nowMs < heardMs ? words.heardIn((heardMs - nowMs) / 1000) : '';
  const seconds = (nowMs - heardMs) / 1000;
  return duration === undefined
    ? words.seconds(seconds)
    : words.secondsOf(Math.min(seconds, duration / 1000), duration / 1000);
}

const tickMs = 100;

/** The present by `performance.now()`, ten times a second while it matters. */
function useNow(isRunning: boolean): number {
  const now = useSignal(performance.now());
  useEffect(() => {
    now.value = performance.now();
    if (!isRunning) return;
    const timer = setInterval(() => {
      now.value = performance.now();
    }, tickMs);
    return () => clearInterval(timer);
  }, [isRunning]);
  return now.value;
}
