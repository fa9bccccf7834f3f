import { signal } from '@preact/signals';
import { displayBands } from '../../dsp/mel-scale.ts';
import { type MeterRecord, meterFrameKind, readMeterFrame } from '../../metering/meter-frame.ts';
import { live } from './own-live.ts';
import { PlayoutQueue } from './playout-queue.ts';

/** What the server says of the streams that are watched. */
interface MeteredStream {
  readonly id: string;
  readonly channels: number;
  readonly rate: number;
}

/** Shows one stream. */
export interface MeterView {
  /** It is heard now. */
  take(record: MeterRecord): void;
  /** In an animation frame, after what was taken. */
  draw(): void;
}

interface HeardRecord extends MeterRecord {
  readonly streamId: string;
}

/** A record is shown before the middle of its 40 ms, as a picture takes a moment to be seen. */
const earlyMiddleUs = 10_000;
/** What is heard within so long is drawn at once, half of it too early and half too late. */
const pictureMs = 32;

/** The streams that are watched, by name, as far as they are there. */
export const meteredStreams = signal<ReadonlyMap<string, MeteredStream>>(new Map());
/** Whether the server measures what lies between samples. */
export const hasTruePeak = signal(true);

const views = new Map<string, Set<MeterView>>();
const queue = new PlayoutQueue<HeardRecord>();
let streams: readonly MeteredStream[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let drawnMs = 0;

/** Shows a stream by `view` as long as it plays, until what is returned is called. */
export function watchMeters(streamId: string, view: MeterView): () => void {
  const known = views.get(streamId) ?? new Set();
  views.set(streamId, known.add(view));
  tellWants();
  return () => {
    known.delete(view);
    if (known.size === 0) views.delete(streamId);
    tellWants();
  };
}

function tellWants(): void {
  const meters = [...views.keys()];
  live.want('meters', meters.length > 0 ? { meters, mel: displayBands } : undefined);
}

live.onText('meters', (value) => {
  const told: { readonly truePeak?: unknown; readonly streams?: unknown } = Object(value);
  if (!Array.isArray(told.streams)) return;
  streams = told.streams;
  hasTruePeak.value = told.truePeak === true;
  meteredStreams.value = new Map(streams.map((stream) => [stream.id, stream]));
});

live.onFrame(meterFrameKind, (frame) => {
  const nowUs = serverUs(performance.now());
  for (const record of readMeterFrame(frame)) {
    const streamId = streams[record.index]?.id;
    if (streamId === undefined || !views.has(streamId)) continue;
    queue.add({ ...record, streamId, heardUs: record.heardUs + earlyMiddleUs }, nowUs);
  }
  plan();
});

function serverUs(atMs: number): number {
  return 1000 * live.clock.serverMs(atMs);
}

/** Nothing is drawn, nor any time waited for, while nothing is to be shown. */
function plan(): void {
  if (timer !== undefined || !live.clock.isKnown) return;
  const nowMs = performance.now();
  const nowUs = serverUs(nowMs);
  const nextUs = queue.nextUs(nowUs);
  if (nextUs === undefined) return;
  const dueMs = nowMs + (nextUs - nowUs) / 1000 - pictureMs / 2;
  const waitMs = Math.max(dueMs, drawnMs + pictureMs) - nowMs;
  timer = setTimeout(() => requestAnimationFrame(draw), Math.max(0, waitMs));
}

function draw(): void {
  timer = undefined;
  drawnMs = performance.now();
  const touched = new Set<MeterView>();
  for (const record of queue.take(serverUs(drawnMs) + 500 * pictureMs)) {
    for (const view of views.get(record.streamId) ?? []) {
      view.take(record);
      touched.add(view);
    }
  }
  for (const view of touched) view.draw();
  plan();
}

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') return;
  clearTimeout(timer);
  timer = undefined;
  queue.clear();
});
