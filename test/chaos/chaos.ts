import { brokenNow, CostlyInvariants } from './invariants.ts';
import { atMost, drift, exactly, type Levels, type Limits, settle } from './levels.ts';
import type { ChaosOptions } from './options.ts';
import { describeStep, planOf, type Step } from './plan.ts';
import { unsavedChanges } from './saves.ts';
import { chunkMs, configuredNames, passingStreamNames } from './streams.ts';
import type { World } from './world.ts';

const lookMs = 3000;
/** Names that the driver's own controllers have: TCP, WebSocket, and the one that harms. */
const ownControllers = 3;
const keptSteps = 20;
const lastWordsMs = 500;
/** Programs that do not want to end hold up a reload. */
const streamsLimitMs = 15_000;
/** One that was stopped fades out, and its end is heard the buffer later. */
const announcementsLimitMs = 15_000;
/** Of so many that were taken some must have played. */
const manyAnnouncements = 5;
/** Programs that restart, and connections that close at this very moment. */
const descriptorSlack = 12;
/**
 * The ring of each stream, and the PCM that it keeps while nobody listens: what was in the ring then
 * stays there until somebody comes.
 */
const mostSlots = ({ bufferMs }: ChaosOptions) =>
  configuredNames.length * 2 * (bufferMs / chunkMs) + 50;
/** What the heap of the server may keep of a storm. */
const memorySlackMiB = 96;

/** Something did not hold. */
export class BrokenInvariant extends Error {}

/** One run: the steps of a plan, with the invariants looked at in between. */
export class Chaos {
  steps = 0;
  readonly quietPoints: Levels[] = [];
  readonly #world: World;
  readonly #options: ChaosOptions;
  readonly #costly: CostlyInvariants;
  readonly #recent: Step[] = [];
  #base: Levels | undefined;
  readonly #tell: (text: string) => void;

  constructor(world: World, tell: (text: string) => void) {
    this.#world = world;
    this.#options = world.options;
    this.#costly = new CostlyInvariants(world);

    this.#tell = tell;
  }

  /** The last steps, for a report. */
  get recent(): string[] {
    return this.#recent.map(describeStep);
  }

  /** Failure: rejects with a `BrokenInvariant`. */
  async run(): Promise<void> {
    const world = this.#world;
    const empty = await this.#settled({
      sessions: exactly(0),
      controllers: exactly(ownControllers),
    });
    await world.populate();
    await this.#quiet();
    await this.#disturb();
    await this.#quiet();
    this.#demand(drift(this.quietPoints));
    await this.#leave(empty);
    await this.#stop();
  }

  async #disturb(): Promise<void> {
    const { seconds, quietSeconds } = this.#options;
    const world = this.#world;
    const plan = planOf(this.#options);
    const endMs = performance.now() + seconds * 1000;
    let lookAtMs = performance.now() + lookMs;
    let quietAtMs = performance.now() + quietSeconds * 1000;
    world.far?.join();
    while (performance.now() < endMs) {
      const step = plan.next().value;
      await this.#step(step);
      if (performance.now() > quietAtMs) {
        await this.#quiet();
        world.far?.join();
        quietAtMs = performance.now() + quietSeconds * 1000;
      } else if (performance.now() > lookAtMs) {
        this.#demand(await this.#costly.broken());
        lookAtMs = performance.now() + lookMs;
      }
      await world.sleep(step.pauseMs);
    }
  }

  async #step(step: Step): Promise<void> {
    this.steps = step.number;
    this.#recent.push(step);
    if (this.#recent.length > keptSteps) this.#recent.shift();
    try {
      await step.run(this.#world);
    } catch (error) {
      // Why nobody answered may be about to be known.
      await this.#world.sleep(lastWordsMs);
      this.#demand([...brokenNow(this.#world), String(error)]);
    }
    this.#demand(brokenNow(this.#world));
  }

  /** Sends all home but the steady players and looks whether the server forgets them. */
  async #quiet(): Promise<void> {
    const world = this.#world;
    world.deferred.flush();
    world.network?.heal();
    world.far?.leave();
    world.crew.leave();
    world.intruders.leave();
    world.joiners.leave();
    await world.ask('Announce.Stop', { targets: { all: true } });
    for (const id of passingStreamNames) await world.ask('Stream.RemoveStream', { id });
    if (world.reloads) {
      world.writeConfig('plain');
      world.server.signal('SIGHUP');
    }
    const players = [
      ...[world.steady.count, world.returners.count],
      ...[world.station.listeners, world.realClients.length],
    ].reduce((sum, count) => sum + count);
    const base = this.#base;
    const levels = await this.#settled({
      sessions: exactly(players),
      controllers: exactly(ownControllers),
      variants: exactly(0),
      ...(base && {
        descriptors: atMost(base.descriptors + descriptorSlack),
        usedSlots: atMost(mostSlots(this.#options)),
        // Without the addon the C library keeps what it gets back.
        ...(this.#options.hasAddon && { residentMiB: atMost(base.residentMiB + memorySlackMiB) }),
      }),
    });
    this.#base ??= levels;
    this.#demand(await this.#strangeStreams());
    this.#demand(await this.#lastingAnnouncements());
    this.#demand(await world.returners.strayed());
    this.#demand(await world.station.notHeard());
    this.#demand(await unsavedChanges(world));
    this.quietPoints.push(levels);
    this.#demand(await this.#costly.broken());
    this.#demand(brokenNow(world));
    this.#report(levels);
  }

  /** With the first configuration in force there are its streams again, and no others. */
  async #strangeStreams(): Promise<string[]> {
    const { controller, sleep } = this.#world;
    const deadlineMs = performance.now() + streamsLimitMs;
    for (;;) {
      const names = (await controller.status()).streams.map(({ id }) => id).sort();
      if (names.join() === configuredNames.join()) return [];
      if (performance.now() > deadlineMs) {
        return [`the streams are ${names.join(', ')} instead of ${configuredNames.join(', ')}`];
      }
      await sleep(200);
    }
  }

  /** Those whose players have gone are over, too. */
  async #lastingAnnouncements(): Promise<string[]> {
    const { controller, sleep } = this.#world;
    const deadlineMs = performance.now() + announcementsLimitMs;
    for (;;) {
      const { announcements } = (await controller.request('Announce.List')) as {
        announcements: readonly object[];
      };
      if (announcements.length === 0) return [];
      if (performance.now() > deadlineMs) {
        return [`announcements do not end: ${JSON.stringify(announcements)}`];
      }
      await sleep(200);
    }
  }

  /** Now the steady players go, too, and nothing of anybody may remain. */
  async #leave(empty: Levels): Promise<void> {
    const world = this.#world;
    // Who plays behind a bad network must have played, or nothing was tried there.
    const farChunks = await world.far?.chunks();
    if (farChunks === 0) this.#demand(['no player behind the bad network heard anything']);
    this.#tell(`behind the bad network: ${farChunks ?? 0} chunks right`);
    const { played } = world.server.log;
    if (played === 0 && world.announced >= manyAnnouncements)
      this.#demand(['no announcement plays']);
    this.#tell(`announcements: ${world.announced} taken, ${played} played`);
    world.isLeaving = true;
    world.steady.leave();
    world.returners.leave();
    world.station.leave();
    for (const client of world.realClients) await client.close();
    world.realClients = [];
    await this.#settled({
      sessions: exactly(0),
      controllers: exactly(ownControllers),
      descriptors: atMost(empty.descriptors + descriptorSlack),
      usedSlots: atMost(mostSlots(this.#options)),
    });
    this.#demand(await world.station.notLeft());
    this.#tell(`radio: ${world.station.requests} connections, ${world.station.chunks} chunks`);
    this.#demand(brokenNow(world));
  }

  async #stop(): Promise<void> {
    const { exitCode, signal } = await this.#world.server.stop();
    const { problems } = this.#world.server.log;
    const broken = [...problems.splice(0)];
    if (exitCode !== 0) broken.push(`SIGTERM ended the server with ${exitCode ?? signal}`);
    this.#demand(broken);
  }

  async #settled(limits: Limits): Promise<Levels> {
    const { levels, broken } = await settle(this.#world, limits);
    // What is broken otherwise may well be the reason.
    if (broken.length > 0) this.#demand([...brokenNow(this.#world), ...broken]);
    if (!levels) throw new BrokenInvariant('there are no figures');
    return levels;
  }

  #report({ descriptors, usedSlots, ...levels }: Levels): void {
    const { poolMiB, heapMiB, externalMiB } = levels;
    const memory = Object.entries({ pool: poolMiB, heap: heapMiB, external: externalMiB })
      .map(([name, mib]) => `${name} ${mib.toFixed(0)}`)
      .join(', ');
    const { steady, crew, joiners, realClients, controller, server } = this.#world;
    const sound = realClients.map(({ soundFrames }) => Math.round(soundFrames / 8000)).join('/');
    this.#tell(
      `step ${this.steps}: ${levels.residentMiB.toFixed(0)} MiB (${memory}), ${descriptors} descriptors, ` +
        `${usedSlots} slots in use, ${steady.chunks} chunks right, ${crew.chunks} to victims, ` +
        `${joiners.joined} joined a swelling stream, ` +
        `snapclients ${sound} s, slowest answer ${controller.longestMs.toFixed(0)} ms, ` +
        `${server.log.count} log lines, ${[...server.log.resyncs.values()].reduce((a, b) => a + b, 0)} resyncs`,
    );
  }

  #demand(broken: readonly string[]): void {
    if (broken.length > 0) throw new BrokenInvariant(broken.slice(0, 10).join('\n'));
  }
}
