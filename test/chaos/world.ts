import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, ControlClient } from '../support/control-client.ts';
import { Random } from '../support/random.ts';
import { type ConfigVariant, configText } from './config-text.ts';
import { Crew } from './crew.ts';
import { Deferred } from './deferred.ts';
import { Disk } from './disk.ts';
import { FailingStation } from './failing-station.ts';
import { FarCrew } from './far-crew.ts';
import { Intruders } from './intruders.ts';
import { Joiners } from './joiners.ts';
import { BadNetwork, buildRelay, nearAddress } from './network.ts';
import type { ChaosOptions } from './options.ts';
import { Pattern } from './pattern.ts';
import { makePlaces, type Places } from './places.ts';
import type { CommonPlayerOptions } from './player.ts';
import { Producers } from './producers.ts';
import { RealClient } from './real-client.ts';
import { Returners } from './returners.ts';
import { Server } from './server.ts';
import { Starvation } from './starvation.ts';
import { type LastingPlayerOptions, SteadyPlayers } from './steady-players.ts';
import { type ChaosStream, harmedStreams, steadyStreams } from './streams.ts';
import { StreamTruths } from './truths.ts';

const startLimitMs = 20_000;
/** The longest that any answer may take, on a machine that is busy with all this. */
const answerLimitMs = 10_000;
/** What is not sent to who joins, as it would come too late, and some time on the way. */
const lateMs = 400;
/** Beside a descriptor per player: what the server itself, its streams and controllers need. */
const spareDescriptors = 260;

const rateOf = (name: string) => harmedStreams.find((stream) => stream.name === name)?.rateHz ?? 0;

/** Everything that takes part in a run: the server, and all who have to do with it. */
export class World {
  readonly options: ChaosOptions;
  readonly problems: string[] = [];
  readonly truths = new StreamTruths();
  readonly deferred = new Deferred();
  readonly intruders = new Intruders();
  readonly sleep = sleep;
  isLeaving = false;
  /** Announcements that were taken. */
  announced = 0;
  realClients: RealClient[] = [];
  far: FarCrew | undefined;
  network: BadNetwork | undefined;
  // Made by `assemble`.
  places!: Places;
  disk!: Disk;
  server!: Server;
  starvation!: Starvation;
  controller!: ControlClient;
  browser!: ControlClient;
  mischief!: ControlClient;
  producers!: Producers;
  station!: FailingStation;
  // Made by `populate`.
  crew!: Crew;
  steady!: SteadyPlayers;
  joiners!: Joiners;
  returners!: Returners;

  constructor(options: ChaosOptions) {
    this.options = options;
  }

  /** Makes everything but the players. Failure: rejects; `tearDown` ends what was begun. */
  async assemble(work: string): Promise<void> {
    const { options } = this;
    this.places = makePlaces(work, options);
    this.disk = new Disk(this.places.data);
    const descriptors = options.players + spareDescriptors;
    this.server = new Server({ ...options, places: this.places, descriptors });
    this.starvation = new Starvation(this.server.pid);
    this.server.log.isStarved = () => this.starvation.isStarved;
    const { controlPort, httpPort } = this.places;
    this.controller = await this.#firstController(controlPort, 'TCP');
    this.browser = await this.#firstController(httpPort, 'WebSocket');
    // What victims are told to do goes through a controller of its own.
    this.mischief = await this.#firstController(controlPort, 'TCP');
    this.producers = new Producers(this.places, {
      pipeRateHz: rateOf('Pipe'),
      netRateHz: rateOf('Net'),
      packetRateHz: rateOf('Packets'),
    });
    this.producers.start();
    const onProblem = (text: string) => this.problem(text);
    this.station = await FailingStation.open(this.places.stationPort, this.server, onProblem);
    await this.#openFar(work);
  }

  /** The players, the real ones included; resolves when those that nothing is done to play. */
  async populate(): Promise<void> {
    const { options, places } = this;
    const common: CommonPlayerOptions & LastingPlayerOptions = {
      port: places.streamPort,
      webSocketPort: places.httpPort,
      securePort: places.securePort,
      truths: this.truths,
      onProblem: (text) => this.problem(text),
      isLeaving: () => this.isLeaving,
      isExcused: (timestampUs) => this.starvation.isStarved && this.isTooOldBefore(timestampUs),
    };
    this.crew = new Crew(common);
    this.steady = await SteadyPlayers.start(options.steady, common, this.controller);
    this.joiners = await Joiners.start(common, this);
    this.returners = await Returners.start(common, this);
    await this.station.start(common, this.controller);
    this.realClients = steadyStreams
      .slice(0, options.realClients)
      .map((stream) => this.#openReal(stream));
    await this.#assignReal();
  }

  problem(text: string): void {
    this.problems.push(text);
  }

  /** What is just before `timestampUs` could not be played any more if it came now. */
  isTooOldBefore(timestampUs: number): boolean {
    const nowUs = Number(process.hrtime.bigint() / 1000n);
    return nowUs - timestampUs >= (this.options.bufferMs - lateMs) * 1000;
  }

  /** What a victim's controller asks; the answer may well be an error. */
  readonly ask = (method: string, params?: object): Promise<Answer> =>
    this.mischief.ask(method, params);

  readonly later = this.deferred.add;

  readonly randomOf = (seed: number) => new Random(seed);

  readonly writeConfig = (variant: ConfigVariant): void => {
    writeFileSync(this.places.configFile, configText(this.places, variant));
  };

  get reloads(): boolean {
    return this.options.reloads;
  }

  /** Ends all that was begun; for a run that failed, too. */
  async tearDown(): Promise<void> {
    this.isLeaving = true;
    this.deferred.cancel();
    this.starvation?.stop();
    this.producers?.stop();
    this.station?.close();
    this.intruders.leave();
    this.crew?.leave();
    this.steady?.leave();
    this.returners?.leave();
    this.joiners?.leave();
    for (const client of this.realClients) await client.close();
    for (const controller of [this.controller, this.browser, this.mischief]) controller?.close();
    this.network?.close().catch(() => {});
    if (this.far?.child.connected) await this.far.close();
    this.server?.signal('SIGCONT');
    this.server?.signal('SIGKILL');
  }

  /** The ports open one after another. */
  async #firstController(port: number, transport: 'TCP' | 'WebSocket'): Promise<ControlClient> {
    const deadlineMs = performance.now() + startLimitMs;
    for (;;) {
      try {
        return await ControlClient.connect(port, { transport, keeps: false, answerLimitMs });
      } catch (error) {
        if (this.server.ending || performance.now() > deadlineMs) {
          const log = this.server.log.lines.join('\n');
          throw new Error(`the server does not listen: ${error}\n${log}`);
        }
        await sleep(100);
      }
    }
  }

  async #openFar(work: string): Promise<void> {
    const { far: count, seed } = this.options;
    if (count === 0) return;
    this.far = new FarCrew((text) => this.problem(text));
    await this.far.prepare({ count, host: nearAddress, port: this.places.streamPort });
    const relay = await buildRelay(work);
    this.network = await BadNetwork.open({ relay, far: this.far.child, seed });
  }

  #openReal({ name, rateHz, kind }: ChaosStream): RealClient {
    const pattern = kind === 'tone' ? undefined : new Pattern(rateHz);
    return new RealClient({ id: `real-${name}`, port: this.places.streamPort, pattern });
  }

  /** Moves each real client to its stream, which it then plays from the header on. */
  async #assignReal(): Promise<void> {
    const wanted = new Map(this.realClients.map(({ id }) => [id, id.replace('real-', '')]));
    const deadlineMs = performance.now() + startLimitMs;
    while (wanted.size > 0) {
      if (performance.now() > deadlineMs) throw new Error('the real clients do not connect');
      await sleep(100);
      for (const { id, clients } of (await this.controller.status()).groups) {
        const client = clients.find((one) => wanted.has(one.id));
        if (!client) continue;
        await this.controller.ask('Group.SetStream', { id, stream_id: wanted.get(client.id) });
        wanted.delete(client.id);
      }
    }
    for (const client of this.realClients) client.begin();
  }
}
