import { introduce } from './introduction.ts';
import { type CommonPlayerOptions, Player } from './player.ts';
import { type HeardChunk, toleranceUs } from './stream-truth.ts';
import { swellingStream } from './streams.ts';
import type { World } from './world.ts';

const opener = 'joiner-opener';
interface Way {
  readonly isBrowser?: boolean;
  readonly isSecure?: boolean;
}

/** The ways to join. */
const ways: ReadonlyMap<string, Way> = new Map([
  ['joiner-tcp', {}],
  ['joiner-browser', { isBrowser: true }],
  ['joiner-secure', { isBrowser: true, isSecure: true }],
]);
/** The stream is encoded for one listener for so long before the others join. */
const openedMs = 8000;
const stayMs = 4000;
/** How much later than its audio a hole is told of. */
const holeMs = 3000;

/**
 * Players that join a stream whose chunks are tiny at one moment and huge at the next: each gets
 * all of the past that can still be played, and nothing is left out behind that.
 */
export class Joiners {
  joined = 0;
  #players: Player[] = [];
  readonly #options: CommonPlayerOptions;
  readonly #world: World;
  /** Of the first chunk that any of them got since `begin`. */
  #oldestUs: number | undefined;

  static async start(options: CommonPlayerOptions, world: World): Promise<Joiners> {
    const ids = [opener, ...ways.keys()];
    const homes = ids.map((id) => [id, swellingStream.name] as const);
    await introduce(new Map(homes), options, world.controller);
    return new Joiners(options, world);
  }

  private constructor(options: CommonPlayerOptions, world: World) {
    this.#options = options;
    this.#world = world;
  }

  /** Does nothing while the last ones are there. */
  begin(apartMs: number): void {
    const isGone = this.#world.server.log.disabled.has(swellingStream.name);
    if (isGone || this.#players.length > 0) return;
    const { later } = this.#world;
    this.#oldestUs = undefined;
    this.#open(opener);
    let atMs = openedMs;
    for (const [id, way] of ways) {
      later(atMs, () => this.#open(id, way));
      atMs += apartMs;
    }
    later(atMs + stayMs, () => this.leave());
  }

  leave(): void {
    const players = this.#players;
    this.#players = [];
    for (const player of players) player.close();
  }

  #open(id: string, way: Way = {}): void {
    const { onProblem } = this.#options;
    const player: Player = new Player({
      ...this.#options,
      ...way,
      id,
      isStrict: false,
      onChunk: (chunk, last) => this.#judge(chunk, last),
      onClosed: () => {
        // In a flood nobody gets in.
        const wasWelcome = player.listening.headers > 0;
        if (!wasWelcome || !this.#players.includes(player)) return;
        onProblem(`player ${id}: its connection was closed`);
      },
    });
    this.#players.push(player);
  }

  /** Failure: throws what was left out. */
  #judge(chunk: HeardChunk, last: HeardChunk | undefined): void {
    // For want of the processor: then another stream is heard.
    if (this.#world.server.log.disabled.has(swellingStream.name)) return;
    const { timestampUs } = chunk;
    if (!last) this.#judgeFirst(timestampUs);
    else if (Math.abs(timestampUs - last.endUs) > toleranceUs) this.#judgeGap(chunk, last);
    else if (isOther(chunk, last)) throw new Error(`wrong audio at ${timestampUs}`);
  }

  #judgeFirst(timestampUs: number): void {
    this.#oldestUs ??= timestampUs;
    this.joined += 1;
    if (timestampUs <= this.#oldestUs || this.#mayBeginAt(timestampUs)) return;
    throw new Error(`joined without the past before ${timestampUs}`);
  }

  /** Who cannot be served in time is moved on to what can still be played. */
  #judgeGap({ timestampUs }: HeardChunk, { endUs }: HeardChunk): void {
    if (this.#mayBeginAt(timestampUs)) return;
    throw new Error(`a gap in the past: after ${endUs} came ${timestampUs}`);
  }

  /** What is older cannot be played any more, or the past has a hole of which the log speaks. */
  #mayBeginAt(timestampUs: number): boolean {
    const { server, options } = this.#world;
    const resyncedAtMs =
      server.log.resyncedAtMs.get(swellingStream.name) ?? Number.NEGATIVE_INFINITY;
    const hasHole = performance.now() - resyncedAtMs < options.bufferMs + holeMs;
    return hasHole || this.#world.isTooOldBefore(timestampUs);
  }
}

/** Silence may be anywhere. */
function isOther({ frame }: HeardChunk, { nextFrame }: HeardChunk): boolean {
  return frame !== undefined && nextFrame !== undefined && frame !== nextFrame;
}
