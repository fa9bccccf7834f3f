import type { PlayerFacts } from '../../observing/sync-message.ts';
import { nameOfClient } from '../control/names.ts';
import { Spark } from '../parts/spark.tsx';
import { player } from '../player/own-player.ts';
import { syncTexts } from '../text/sync-texts.ts';
import { duration, number } from './sentences.ts';
import { historyLooks, type Judged } from './sync-facts.ts';
import { useFactsOf } from './sync-watch.ts';
import { VerdictMark } from './verdict-mark.tsx';

interface SyncRowProps {
  readonly judged: Judged;
  readonly isFirst: boolean;
  readonly isLast: boolean;
  readonly onOpen: () => void;
}

/** One player: whose fault, and the figures that tell most. A tap opens the evidence. */
export function SyncRow({ judged, isFirst, isLast, onOpen }: SyncRowProps) {
  const { id, who, level } = judged;
  const history = useFactsOf(id);
  const isOwn = player.clientId.value === id;
  const classes = ['row', 'sync-row', isFirst && 'head', isLast && 'last'];
  return (
    <div class={classes.filter(Boolean).join(' ')}>
      <button type="button" class="quiet" onClick={onOpen}>
        <VerdictMark who={who} level={level} />
        <span class="who cut">{nameOfClient(id)}</span>
        {history && <Figures facts={history.facts} isOwn={isOwn} />}
        {history && <Spark values={history.roundTripMs} places={historyLooks} least={20} />}
      </button>
    </div>
  );
}

function Figures({ facts, isOwn }: { readonly facts: PlayerFacts; readonly isOwn: boolean }) {
  const words = syncTexts.value;
  const { roundTripMs, queueMs, backlogMs, resentPerSecond, driftPpm, skippedChunks, own } = facts;
  const known = [
    isOwn && words.thisBrowser,
    own?.errorMs !== undefined && words.short.error(duration(own.errorMs)),
    roundTripMs !== undefined && words.short.roundTrip(duration(roundTripMs)),
    queueMs !== undefined && words.short.queue(duration(queueMs + backlogMs)),
    resentPerSecond !== undefined &&
      resentPerSecond > 0 &&
      words.short.resent(number(resentPerSecond, 1)),
    driftPpm !== undefined && words.short.drift(number(driftPpm, 0)),
    skippedChunks > 0 && words.short.skipped(skippedChunks),
  ].filter((text) => text !== false);
  return (
    <span class="figures hint">{known.length > 0 ? known.join(' · ') : words.notMeasured}</span>
  );
}
