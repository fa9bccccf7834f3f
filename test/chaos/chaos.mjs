import { brokenNow, CostlyInvariants } from './invariants.mjs';
import { atMost, drift, exactly, settle } from './levels.mjs';
import { carryOut, describeStep, planOf } from './plan.mjs';
import { unsavedChanges } from './saves.mjs';
import { chunkMs, configuredNames, passingStreamNames } from './streams.mjs';

const lookMs = 3000;
/** Names that the driver's own controllers have: TCP, WebSocket, and the one that harms. */
const ownControllers = 3;
const keptSteps = 20;
const lastWordsMs = 500;
/** Programs that do not want to end hold up a reload. */
const streamsLimitMs = 15_000;
/** Programs that restart, and connections that close at this very moment. */
const descriptorSlack = 12;
/**
 * The ring of each stream, and the PCM that it keeps while nobody listens: what was in the ring then
 * stays there until somebody comes.
 */
const mostSlots = ({ bufferMs }) => configuredNames.length * 2 * (bufferMs / chunkMs) + 50;
/** What the heap of the server may keep of a storm. */
const memorySlackMiB = 96;

/** Something did not hold. */
export class BrokenInvariant extends Error {}

/** One run: the steps of a plan, with the invariants looked at in between. */
export class Chaos {
  steps = 0;
  quietPoints = [];
  #world;
  #options;
  #costly;
  #recent = [];
  #empty;
  #base;
  #tell;

  constructor(world, options, tell) {
    this.#world = world;
    this.#options = options;
    this.#tell = tell;
  }

  /** The last steps, for a report. */
  get recent() {
    return this.#recent.map(describeStep);
  }

  /** Failure: rejects with a `BrokenInvariant`. */
  async run() {
    const world = this.#world;
    this.#empty = await this.#settled({
      sessions: exactly(0),
      controllers: exactly(ownControllers),
    });
    await world.populate();
    this.#costly = new CostlyInvariants(world);
    await this.#quiet();
    await this.#disturb();
    await this.#quiet();
    this.#demand(drift(this.quietPoints));
    await this.#leave();
    await this.#stop();
  }

  async #disturb() {
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

  async #step(step) {
    this.steps = step.number;
    this.#recent.push(step);
    if (this.#recent.length > keptSteps) this.#recent.shift();
    try {
      await carryOut(step, this.#world);
    } catch (error) {
      // Why nobody answered may be about to be known.
      await this.#world.sleep(lastWordsMs);
      this.#demand([...brokenNow(this.#world), error.message]);
    }
    this.#demand(brokenNow(this.#world));
  }

  /** Sends all home but the steady players and looks whether the server forgets them. */
  async #quiet() {
    const world = this.#world;
    world.deferred.flush();
    world.network?.heal();
    world.far?.leave();
    world.crew.leave();
    world.intruders.leave();
    world.joiners.leave();
    for (const id of passingStreamNames) await world.ask('Stream.RemoveStream', { id });
    if (world.reloads) {
      world.writeConfig('plain');
      world.server.signal('SIGHUP');
    }
    const players = world.steady.count + world.returners.count + world.realClients.length;
    const base = this.#base;
    const levels = await this.#settled({
      sessions: exactly(players),
      controllers: exactly(ownControllers),
      ...(base && {
        descriptors: atMost(base.descriptors + descriptorSlack),
        usedSlots: atMost(mostSlots(this.#options)),
        // Without the addon the C library keeps what it gets back.
        ...(this.#options.hasAddon && { residentMiB: atMost(base.residentMiB + memorySlackMiB) }),
      }),
    });
    this.#base ??= levels;
    this.#demand(await this.#strangeStreams());
    this.#demand(await world.returners.strayed());
    this.#demand(await unsavedChanges(world));
    this.quietPoints.push(levels);
    this.#demand(await this.#costly.broken());
    this.#demand(brokenNow(world));
    this.#report(levels);
  }

  /** With the first configuration in force there are its streams again, and no others. */
  async #strangeStreams() {
    const { controller, sleep } = this.#world;
    const deadlineMs = performance.now() + streamsLimitMs;
    for (;;) {
      const { result } = await controller.ask('Server.GetStatus');
      const names = result.server.streams.map(({ id }) => id).sort();
      if (names.join() === configuredNames.join()) return [];
      if (performance.now() > deadlineMs) {
        return [`the streams are ${names.join(', ')} instead of ${configuredNames.join(', ')}`];
      }
      await sleep(200);
    }
  }

  /** Now the steady players go, too, and nothing of anybody may remain. */
  async #leave() {
    const world = this.#world;
    // Who plays behind a bad network must have played, or nothing was tried there.
    const far = await world.far?.report();
    if (far?.chunks === 0) this.#demand(['nobody behind the bad network heard anything']);
    this.#tell(`behind the bad network: ${far?.chunks ?? 0} chunks right`);
    world.isLeaving = true;
    world.steady.leave();
    world.returners.leave();
    for (const client of world.realClients) await client.close();
    world.realClients = [];
    await this.#settled({
      sessions: exactly(0),
      controllers: exactly(ownControllers),
      descriptors: atMost(this.#empty.descriptors + descriptorSlack),
      usedSlots: atMost(mostSlots(this.#options)),
    });
    this.#demand(brokenNow(world));
  }

  async #stop() {
    const { exitCode, signal } = await this.#world.server.stop();
    const { problems } = this.#world.server.log;
    const broken = [...problems.splice(0)];
    if (exitCode !== 0) broken.push(`SIGTERM ended the server with ${exitCode ?? signal}`);
    this.#demand(broken);
  }

  async #settled(limits) {
    const { levels, broken } = await settle(this.#world, limits);
    // What is broken otherwise may well be the reason.
    if (broken.length > 0) this.#demand([...brokenNow(this.#world), ...broken]);
    return levels;
  }

  #report({ residentMiB, descriptors, usedSlots }) {
    const { steady, crew, joiners, realClients, controller, server } = this.#world;
    const sound = realClients.map(({ soundFrames }) => Math.round(soundFrames / 8000)).join('/');
    this.#tell(
      `step ${this.steps}: ${residentMiB.toFixed(0)} MiB, ${descriptors} descriptors, ` +
        `${usedSlots} slots in use, ${steady.chunks} chunks right, ${crew.chunks} to victims, ` +
        `${joiners.joined} joined a swelling stream, ` +
        `snapclients ${sound} s, slowest answer ${controller.longestMs.toFixed(0)} ms, ` +
        `${server.log.count} log lines, ${[...server.log.resyncs.values()].reduce((a, b) => a + b, 0)} resyncs`,
    );
  }

  #demand(broken) {
    if (broken.length > 0) throw new BrokenInvariant(broken.slice(0, 10).join('\n'));
  }
}
