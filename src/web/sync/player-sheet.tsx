import type { ComponentChildren } from 'preact';
import { nameOfClient } from '../control/names.ts';
import { Sheet } from '../parts/sheet.tsx';
import { Spark } from '../parts/spark.tsx';
import { syncTexts } from '../text/sync-texts.ts';
import { EventList } from './event-list.tsx';
import { number, sayReason } from './sentences.ts';
import { historyLooks, type PlayerHistory } from './sync-facts.ts';
import { facts, useFactsOf } from './sync-watch.ts';
import { VerdictMark } from './verdict-mark.tsx';

/** The evidence of one player. */
export function PlayerSheet({
  id,
  onClose,
}: {
  readonly id: string;
  readonly onClose: () => void;
}) {
  const words = syncTexts.value;
  const history = useFactsOf(id);
  const stream = history?.facts.stream;
  const events = facts.events.value.filter(
    (event) => event.id === undefined || event.id === id || event.id === stream,
  );
  return (
    <Sheet title={nameOfClient(id)} onClose={onClose}>
      {history ? <Evidence history={history} /> : <p>{words.gone}</p>}
      <section>
        <h3>{words.events}</h3>
        <EventList events={events} />
      </section>
    </Sheet>
  );
}

function Evidence({ history }: { readonly history: PlayerHistory }) {
  const words = syncTexts.value;
  const { facts: known } = history;
  const { who, level, because } = known.verdict;
  return (
    <>
      <div class="evidence">
        <VerdictMark who={who} level={level} />
        {because.length === 0 && <p>{words.good}</p>}
        {because.map((evidence) => (
          <p key={evidence.reason}>
            {sayReason(evidence)} <span class="hint">{words.reasons[evidence.reason].advice}</span>
          </p>
        ))}
      </div>
      <dl class="measures">
        {known.own && (
          <Measure
            name={words.error}
            value={known.own.errorMs}
            unit="ms"
            spark={<Spark values={history.errorMs} places={historyLooks} least={5} />}
          />
        )}
        <Measure
          name={words.roundTrip}
          value={known.roundTripMs}
          deviation={known.roundTripDeviationMs}
          unit="ms"
          spark={<Spark values={history.roundTripMs} places={historyLooks} least={20} />}
        />
        <Measure
          name={words.queue}
          value={known.queueMs === undefined ? undefined : known.queueMs + known.backlogMs}
          unit="ms"
          spark={<Spark values={history.waitingMs} places={historyLooks} least={200} />}
        />
        <Measure
          name={words.resent}
          value={known.resentPerSecond}
          unit="/s"
          spark={<Spark values={history.resentPerSecond} places={historyLooks} least={5} />}
        />
        <Measure name={words.drift} value={known.driftPpm} unit="ppm" absent={words.notKnownYet} />
        <Measure name={words.skipped} value={known.skippedChunks} unit="" />
        {known.own && (
          <Measure name={words.jumps} value={sum(known.own.resyncs, known.own.underruns)} unit="" />
        )}
      </dl>
    </>
  );
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}

interface MeasureProps {
  readonly name: string;
  readonly value: number | undefined;
  readonly unit: string;
  readonly deviation?: number | undefined;
  readonly absent?: string;
  readonly spark?: ComponentChildren;
}

function Measure({ name, value, unit, deviation, absent, spark }: MeasureProps) {
  return (
    <>
      <dt>{name}</dt>
      <dd>
        {value === undefined ? (
          <span class="hint">{absent ?? syncTexts.value.notMeasured}</span>
        ) : (
          <>
            <span>
              {number(value, 2)}
              {deviation !== undefined && ` ± ${number(deviation, 2)}`}
              {unit !== '' && `\u00a0${unit}`}
            </span>
            {spark}
          </>
        )}
      </dd>
    </>
  );
}
