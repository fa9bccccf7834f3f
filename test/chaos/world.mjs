import { writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../support/random.mjs';
import { configText } from './config-text.mjs';
import { Controller } from './controller.mjs';
import { Crew } from './crew.mjs';
import { Deferred } from './deferred.mjs';
import { Disk } from './disk.mjs';
import { FarCrew } from './far-crew.mjs';
import { Intruders } from './intruders.mjs';
import { Joiners } from './joiners.mjs';
import { BadNetwork, buildRelay, nearAddress } from './network.mjs';
import { Pattern } from './pattern.mjs';
import { makePlaces } from './places.mjs';
import { Producers } from './producers.mjs';
import { RealClient } from './real-client.mjs';
import { Returners } from './returners.mjs';
import { Server } from './server.mjs';
import { Starvation } from './starvation.mjs';
import { SteadyPlayers } from './steady-players.mjs';
import { endlessRatesHz, harmedStreams, steadyStreams } from './streams.mjs';
import { StreamTruths } from './truths.mjs';

const startLimitMs = 20_000;
/** What is not sent to who joins, as it would come too late, and some time on the way. */
const lateMs = 400;
/** Beside a descriptor per player: what the server itself, its streams and controllers need. */
const spareDescriptors = 260;

const rateOf = (name) => harmedStreams.find((stream) => stream.name === name).rateHz;

/** Everything that takes part in a run: the server, and all who have to do with it. */
export class World {
  problems = [];
  isLeaving = false;
  deferred = new Deferred();
  later = this.deferred.add;
  intruders = new Intruders();
  sleep = sleep;

  /** Makes everything but the players. Failure: rejects; `tearDown` ends what was begun. */
  async assemble(options, work) {
    const build = dirname(options.main);
    this.options = options;
    this.places = makePlaces(work, options);
    this.disk = new Disk(this.places.data);
    this.truths = await StreamTruths.load({ build, endless: endlessRatesHz });
    const descriptors = options.players + spareDescriptors;
    this.server = new Server({ ...options, configFile: this.places.configFile, descriptors });
    this.starvation = new Starvation(this.server.pid);
    this.server.log.isStarved = () => this.starvation.isStarved;
    const { controlPort, httpPort } = this.places;
    this.controller = await this.#firstController(() => Controller.overTcp(controlPort));
    this.browser = await this.#firstController(() => Controller.overWebSocket(httpPort));
    // What victims are told to do goes through a controller of its own.
    this.mischief = await Controller.overTcp(this.places.controlPort);
    this.producers = new Producers(this.places, {
      pipeRateHz: rateOf('Pipe'),
      netRateHz: rateOf('Net'),
    });
    this.producers.start();
    await this.#openFar(build, work);
  }

  /** The players, the real ones included; resolves when those that nothing is done to play. */
  async populate() {
    const { options, places } = this;
    const common = {
      port: places.streamPort,
      webSocketPort: places.httpPort,
      securePort: places.securePort,
      truths: this.truths,
      onProblem: (text) => this.problem(text),
      isLeaving: () => this.isLeaving,
      isExcused: (timestampUs) => this.starvation.isStarved && this.isTooOldBefore(timestampUs),
    };
    this.crew = new Crew(options.victims, common);
    this.steady = await SteadyPlayers.start(options.steady, common, this.controller);
    this.joiners = await Joiners.start(common, this);
    this.returners = await Returners.start(common, this);
    this.realClients = steadyStreams
      .slice(0, options.realClients)
      .map(({ name }) => this.#openReal(name));
    await this.#assignReal();
  }

  problem(text) {
    this.problems.push(text);
  }

  /** What is just before `timestampUs` could not be played any more if it came now. */
  isTooOldBefore(timestampUs) {
    const nowUs = Number(process.hrtime.bigint() / 1000n);
    return nowUs - timestampUs >= (this.options.bufferMs - lateMs) * 1000;
  }

  /** What a victim's controller asks; the answer may well be an error. */
  ask = (method, params) => this.mischief.ask(method, params);

  randomOf = (seed) => new Random(seed);

  writeConfig = (variant) => {
    writeFileSync(this.places.configFile, configText(this.places, variant));
  };

  get reloads() {
    return this.options.reloads;
  }

  /** Ends all that was begun; for a run that failed, too. */
  async tearDown() {
    this.isLeaving = true;
    this.deferred.cancel();
    this.starvation?.stop();
    this.producers?.stop();
    this.intruders.leave();
    this.crew?.leave();
    this.steady?.leave();
    this.returners?.leave();
    this.joiners?.leave();
    for (const client of this.realClients ?? []) await client.close();
    for (const controller of [this.controller, this.browser, this.mischief]) controller?.close();
    this.network?.close().catch(() => {});
    if (this.far?.child.connected) await this.far.close();
    this.server?.signal('SIGCONT');
    this.server?.signal('SIGKILL');
  }

  /** The ports open one after another. */
  async #firstController(connect) {
    const deadlineMs = performance.now() + startLimitMs;
    for (;;) {
      try {
        return await connect();
      } catch (error) {
        if (this.server.ending || performance.now() > deadlineMs) {
          const log = this.server.log.lines.join('\n');
          throw new Error(`the server does not listen: ${error.message}\n${log}`);
        }
        await sleep(100);
      }
    }
  }

  async #openFar(build, work) {
    const { far: count, seed } = this.options;
    if (count === 0) return;
    this.far = await FarCrew.start({ onProblem: (text) => this.problem(text) });
    const place = { count, host: nearAddress, port: this.places.streamPort, build };
    await this.far.prepare(place);
    const relay = await buildRelay(work);
    this.network = await BadNetwork.open({ relay, far: this.far.child, seed });
  }

  #openReal(stream) {
    const { rateHz, kind } = steadyStreams.find(({ name }) => name === stream);
    const pattern = kind === 'tone' ? undefined : new Pattern(rateHz);
    return new RealClient({ id: `real-${stream}`, port: this.places.streamPort, pattern });
  }

  /** Moves each real client to its stream, which it then plays from the header on. */
  async #assignReal() {
    const wanted = new Map(this.realClients.map(({ id }) => [id, id.replace('real-', '')]));
    const deadlineMs = performance.now() + startLimitMs;
    while (wanted.size > 0) {
      if (performance.now() > deadlineMs) throw new Error('the real clients do not connect');
      await sleep(100);
      const { result } = await this.controller.ask('Server.GetStatus');
      for (const { id, clients } of result.server.groups) {
        const client = clients.find((one) => wanted.has(one.id));
        if (!client) continue;
        await this.controller.ask('Group.SetStream', { id, stream_id: wanted.get(client.id) });
        wanted.delete(client.id);
      }
    }
    for (const client of this.realClients) client.begin();
  }
}
