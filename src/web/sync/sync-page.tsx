import { signal } from '@preact/signals';
import { Fragment } from 'preact';
import { nameOfClient } from '../control/names.ts';
import { live } from '../live/own-live.ts';
import { Icon } from '../parts/icons.tsx';
import { VirtualList } from '../parts/virtual-list.tsx';
import '../style/sync.css';
import { syncTexts } from '../text/sync-texts.ts';
import { texts } from '../text/texts.ts';
import { EventAxisCard } from './event-axis-card.tsx';
import { PlayerSheet } from './player-sheet.tsx';
import { duration, number, sayReason } from './sentences.ts';
import type { Judged } from './sync-facts.ts';
import { SyncRow } from './sync-row.tsx';
import { facts, offlineCount, useFactsOf, useSyncWatch } from './sync-watch.ts';
import { VerdictMark } from './verdict-mark.tsx';

const levels = ['good', 'watch', 'bad'] as const;

/** The player whose evidence is shown. */
const open = signal<string | undefined>(undefined);

/** Who is in step, and who is at fault when not. */
export function SyncPage() {
  useSyncWatch();
  const words = syncTexts.value;
  const judged = facts.judged.value;
  const id = open.value;
  if (live.isRefused.value) return <p class="card">{words.refused}</p>;
  if (!facts.server.value) return <p class="card hint">{words.looking}</p>;
  return (
    <>
      <Summary judged={judged} />
      {judged.length === 0 && (
        <div class="card empty">
          <Icon name="speaker" />
          <h2>{words.empty}</h2>
        </div>
      )}
      <VirtualList
        rows={judged.map((one, index) => ({
          key: one.id,
          likelyHeight: 64,
          render: () => (
            <SyncRow
              judged={one}
              isFirst={index === 0}
              isLast={index === judged.length - 1}
              onOpen={() => {
                open.value = one.id;
              }}
            />
          ),
        }))}
      />
      <Offline />
      <EventAxisCard />
      <Places />
      {id !== undefined && (
        <PlayerSheet
          id={id}
          onClose={() => {
            open.value = undefined;
          }}
        />
      )}
    </>
  );
}

/** How many are well, and of the worst what it has and what to do. */
function Summary({ judged }: { readonly judged: readonly Judged[] }) {
  const words = syncTexts.value;
  const [worst] = judged;
  const count = (level: Judged['level']) => judged.filter((one) => one.level === level).length;
  if (!worst) return null;
  const isGood = worst.level === 'good';
  return (
    <section class="card" aria-label={words.summary}>
      <div class="line summary">
        <h2 aria-live="polite">
          {isGood ? words.allGood : words.notAllGood(judged.length - count('good'))}
        </h2>
        <span class="hint end">
          {levels
            .filter((level) => count(level) > 0)
            .map((level) => words.counts[level](count(level)))
            .join(' · ')}
        </span>
      </div>
      {!isGood && <Worst id={worst.id} />}
    </section>
  );
}

function Worst({ id }: { readonly id: string }) {
  const words = syncTexts.value;
  const history = useFactsOf(id);
  if (!history) return null;
  const { verdict } = history.facts;
  const [first] = verdict.because;
  if (!first) return null;
  const { advice } = words.reasons[first.reason];
  return (
    <div class="worst">
      <VerdictMark who={verdict.who} level={verdict.level} />
      <p>
        <strong>{nameOfClient(id)}</strong>: {sayReason(first)} <span class="hint">{advice}</span>
      </p>
    </div>
  );
}

/** What is the same for all players: this server and its streams. */
function Places() {
  const words = syncTexts.value;
  const server = facts.server.value;
  if (!server) return null;
  const { loopDelayMs, cpuShare, hasTcpFacts } = server;
  return (
    <section class="card" aria-label={words.surroundings}>
      <dl class="surroundings">
        <dt>{words.server}</dt>
        <dd>{words.serverFacts(duration(loopDelayMs), Math.round(100 * cpuShare))}</dd>
        {facts.streams.value.map(({ id, state, chunkAgeMs, encodeShare, breaks }) => (
          <Fragment key={id}>
            <dt class="cut">{id}</dt>
            <dd>
              {texts.value.streams.status[state as 'idle']}
              {state === 'playing' &&
                ` · ${words.streamFacts(duration(chunkAgeMs), number(100 * encodeShare, 1))}`}
              {breaks > 0 && ` · ${words.breaks(breaks)}`}
            </dd>
          </Fragment>
        ))}
      </dl>
      {!hasTcpFacts && <p class="hint">{words.noTcpFacts}</p>}
    </section>
  );
}

function Offline() {
  const count = offlineCount();
  return count > 0 ? <p class="hint below">{texts.value.rooms.offline(count)}</p> : null;
}
