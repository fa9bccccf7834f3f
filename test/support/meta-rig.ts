import { join } from 'node:path';
import { ChunkPool } from '../../src/audio/chunk-pool.ts';
import { MetaFeed } from '../../src/audio/meta-feed.ts';
import { parseMetaOptions } from '../../src/audio/meta-options.ts';
import { parseStreamOptions } from '../../src/audio/stream-options.ts';
import { Dsp } from '../../src/dsp/dsp.ts';
import { scriptKernels } from '../../src/dsp/script-kernels.ts';
import type { FakeTime } from './fake-time.ts';
import { FifoWriter, makeFifoAt } from './fifo.ts';
import { LogLines } from './log-lines.ts';
import { numberedBytes } from './pcm-fixtures.ts';
import { streamDefaults } from './reader-rig.ts';
import { StreamRig } from './stream-rig.ts';
import { turn } from './waiting.ts';

const stepMs = 20;
/** The words of two children have nothing in common. */
const wordsOfChild = 2 ** 20;
/** What `numberedBytes` multiplies by, the other way. */
const inverse = 244_002_641;

/** A frame of what was sent: when it was captured, and the number that it bears. */
export interface HeardFrame {
  readonly us: number;
  /** Of the child whose it is; -1 of silence. */
  readonly child: number;
  readonly word: number;
}

/** A child of a meta stream: a stream on a fifo, and its producer. */
export class FedChild {
  readonly rig: StreamRig;
  readonly fed: Buffer[] = [];
  /** What it is given next. */
  nextPcm: (bytes: number) => Buffer;
  isPlaying = false;
  readonly #fifo: string;
  readonly #bytesPerStep: number;
  #writer: FifoWriter | undefined;

  constructor(index: number, fifo: string, { query, time, groupMs }: ChildSetup) {
    this.#fifo = fifo;
    makeFifoAt(fifo);
    const address = `pipe://${fifo}?name=${index}&mode=read&${query}`;
    this.rig = new StreamRig(address, {}, time, { groupMs });
    const { format } = this.rig.stream.options;
    this.#bytesPerStep = format.framesIn(stepMs) * format.frameBytes;
    let word = index * wordsOfChild + 1;
    this.nextPcm = (bytes) => {
      const pcm = numberedBytes(bytes, word);
      word += bytes / 4;
      return pcm;
    };
  }

  feed(): void {
    if (!this.isPlaying) return;
    this.#writer ??= new FifoWriter(this.#fifo);
    const pcm = this.nextPcm(this.#bytesPerStep);
    this.fed.push(pcm);
    this.#writer.write(pcm);
  }

  close(): void {
    this.#writer?.close();
    this.#writer = undefined;
  }
}

interface ChildSetup {
  readonly query: string;
  readonly time: FakeTime;
  readonly groupMs: number;
}

/** A meta stream of children on fifos; `0` is the name of the first, and so on. */
export class MetaRig {
  readonly log = new LogLines();
  readonly feed: MetaFeed;
  readonly rig: StreamRig;
  readonly children: readonly FedChild[];
  activeChanges = 0;
  readonly #time: FakeTime;
  readonly #pool = new ChunkPool({ verifySeals: true });

  constructor(
    folder: string,
    time: FakeTime,
    {
      queries = ['', ''],
      query = '',
      groupMs = 0,
    }: { queries?: readonly string[]; query?: string; groupMs?: number } = {},
  ) {
    this.#time = time;
    this.children = queries.map(
      (query, index) => new FedChild(index, join(folder, `${index}`), { query, time, groupMs }),
    );
    const address = `meta:///${queries.map((_, index) => index).join('/')}?name=M&${query}`;
    const stream = parseStreamOptions(address, streamDefaults);
    const meta = parseMetaOptions({ uri: stream.uri, warn: () => undefined });
    this.feed = new MetaFeed({
      ...{ stream, meta, pool: this.#pool, clock: time, logger: this.log },
      dsp: new Dsp(scriptKernels),
      onActive: () => {
        this.activeChanges += 1;
      },
    });
    this.rig = new StreamRig(address, {}, time, { feed: this.feed, groupMs });
  }

  /** Starts all, with a listener of each. */
  async play(): Promise<this> {
    for (const { rig } of this.children) await rig.play();
    await this.rig.play();
    this.link();
    return this;
  }

  /** The one child that has to be converted can be. */
  get isReady(): boolean {
    return this.activeChanges > 1;
  }

  /** Chunks that it has made of its own. */
  get acquired(): number {
    const { created, availableSlots, totalSlots } = this.#pool.statistics;
    return created === 0 ? 0 : totalSlots - availableSlots;
  }

  link(children = this.children): void {
    this.feed.setChildren(children.map(({ rig }) => rig.stream));
  }

  /** Lets time pass, in which the children that play are fed. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      for (const child of this.children) child.feed();
      for (let turns = 0; turns < 3; turns += 1) await turn();
      await this.#time.pass(stepMs);
    }
  }

  /** What was sent by the meta stream, or a child, of 16 bit and two channels. */
  heard(rig = this.rig): readonly HeardFrame[] {
    const { format } = rig.stream;
    return rig.published.flatMap(({ payload, timestampUs }) =>
      Array.from({ length: payload.length / 4 }, (_, frame) => {
        const value = payload.readUInt32LE(frame * 4);
        const word = Math.imul(value, inverse) >>> 0;
        const child = value === 0 ? -1 : Math.floor(word / wordsOfChild);
        return { us: timestampUs + format.durationUs(frame), child, word };
      }),
    );
  }

  async close(): Promise<void> {
    await this.rig.stream.stop();
    for (const child of this.children) {
      child.close();
      await child.rig.stream.stop();
    }
    const pools = [this.#pool, this.rig.pool, ...this.children.map(({ rig }) => rig.pool)];
    for (const pool of pools) pool.close();
  }
}

/** Pieces that come from one child without a break, in order. */
export function piecesOf(heard: readonly HeardFrame[]) {
  const pieces: { child: number; fromUs: number; toUs: number; frames: number }[] = [];
  let previous: HeardFrame | undefined;
  for (const frame of heard) {
    const last = pieces.at(-1);
    const isNext =
      previous?.child === frame.child && (frame.child < 0 || frame.word === previous.word + 1);
    if (last && isNext) {
      last.toUs = frame.us;
      last.frames += 1;
    } else pieces.push({ child: frame.child, fromUs: frame.us, toUs: frame.us, frames: 1 });
    previous = frame;
  }
  return pieces;
}
