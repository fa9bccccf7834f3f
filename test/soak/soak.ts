import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startZerocast } from '../bench/zerocast-server.ts';
import { freePort } from '../support/server-process.ts';
import { Controllers } from './controllers.ts';
import { type Figures, readFigures, type ServerPlace } from './figures.ts';
import type { SoakOptions } from './options.ts';
import { type PlayerCounts, Players } from './players.ts';
import type { FigureKey, Growths, Sample } from './report.ts';
import { judgeGrowth } from './slope.ts';
import { Producer, rateHz, writeCounter } from './sounds.ts';

const mib = 2 ** 20;
/** What is inside of resident memory is collected now and then, and goes up and down by more. */
const collectedBoundBytes = 8 * mib;
const rssBoundShare = 0.02;
/** Players and controllers have descriptors of their own, which come and go with them. */
const descriptorBound = 4;
/** What is in use depends on who listens to what: as much as so many streams keep. */
const chunkBoundStreams = 2;
/** Players that the server remembers beside those that are there. */
const rememberedMore = 50;
const usualBufferMs = 1000;
const patientBufferMs = 10_000;
const patientToleranceMs = 8000;
const chunkMs = 20;
/** What is read, encoded or given back at the moment. */
const fewChunks = 30;
const restMs = 3000;
const emptyLimitMs = 40_000;

export type Look = Omit<Sample, 'spareDescriptors'>;

export interface SoakSetup {
  /** The players. */
  readonly program: string;
  readonly options: SoakOptions;
  readonly workDir: string;
  progress(look: Look, players: PlayerCounts | undefined): void;
}

export interface SoakResult {
  readonly before: Figures;
  readonly after: Figures;
  readonly samples: readonly Sample[];
  /** Absent when the run was too short. */
  readonly growths: Growths | undefined;
  readonly events: Readonly<Record<string, number>>;
  /** None when all is well. */
  readonly problems: readonly string[];
}

async function startServer({ options, workDir }: SoakSetup) {
  const { players, isPatient, server } = options;
  const [port, controlPort, httpPort] = [await freePort(), await freePort(), await freePort()];
  const counterFile = join(workDir, 'counter.raw');
  writeCounter(counterFile);
  const producer = new Producer(join(workDir, 'feed'), options.seed);
  const running = await startZerocast({
    main: server,
    port,
    format: {
      source: `file://${counterFile}`,
      sampleFormat: `${rateHz}:16:2`,
      codec: 'pcm',
    },
    sendInterval: 'auto',
    sources: [
      `pipe://${join(workDir, 'feed')}?name=feed&mode=read&sampleformat=${rateHz}:16:2&codec=flac`,
    ],
    serverArgs: [
      ...(isPatient
        ? [`--stream.buffer=${patientBufferMs}`, `--stream.resync_tolerance=${patientToleranceMs}`]
        : []),
      '--tcp-control.enabled=true',
      '--tcp-control.bind_to_address=127.0.0.1',
      `--tcp-control.port=${controlPort}`,
      '--http.enabled=true',
      '--http.bind_to_address=127.0.0.1',
      `--http.port=${httpPort}`,
      // Everybody comes from one address, and those who never return are forgotten.
      '--limits.max_connections_per_address=0',
      `--limits.max_known_clients=${players + rememberedMore}`,
    ],
  });
  await running.listening(controlPort);
  await running.listening(httpPort);
  return { running, producer, port, controlPort, at: { pid: running.pid, httpPort } };
}

function startPlayers({ program, options }: SoakSetup, port: number): Players {
  const { players, seed, changesPerMin } = options;
  const leavers = Math.floor(players / 10);
  const movers = Math.floor(players / 10);
  return new Players(program, {
    port,
    stayers: players - leavers - movers,
    leavers,
    movers,
    seed,
    rate: rateHz,
    'changes-per-minute': changesPerMin,
  });
}

/** How many descriptors the server needs for one player, seen before controllers come. */
async function countDescriptors(at: ServerPlace, before: Figures): Promise<number> {
  const { descriptors, sessions } = await readFigures(at);
  return Math.round((descriptors - before.descriptors) / Math.max(1, sessions));
}

/** Adds the descriptors that belong to nobody who is connected. */
function withSpares(look: Look, perPlayer: number): Sample {
  const { descriptors, sessions, controllers } = look;
  return { ...look, spareDescriptors: descriptors - perPlayer * sessions - controllers };
}

/** Looks at the server until the time is over or a player had to give up. */
async function watch(
  { options, progress }: SoakSetup,
  { at, players }: { readonly at: ServerPlace; readonly players: Players },
): Promise<readonly Look[]> {
  const samples: Look[] = [];
  const startMs = performance.now();
  const endMs = startMs + options.minutes * 60_000;
  let nextMs = startMs;
  while (nextMs <= endMs && !players.hasEnded) {
    await sleep(Math.max(0, nextMs - performance.now()));
    const seconds = (performance.now() - startMs) / 1000;
    const look = { seconds, ...(await readFigures(at)) };
    samples.push(look);
    progress(look, players.latest);
    nextMs += options.sampleMs;
  }
  return samples;
}

function judgeAll(samples: readonly Sample[], options: SoakOptions): Growths {
  const { warmUpShare, rssBoundMib } = options;
  const middleRss = samples[Math.floor(samples.length / 2)]?.rssBytes ?? 0;
  const bounds: Readonly<Record<FigureKey, number>> = {
    rssBytes: Math.max(rssBoundMib * mib, rssBoundShare * middleRss),
    heapBytes: Math.max(collectedBoundBytes, rssBoundMib * mib),
    externalBytes: Math.max(collectedBoundBytes, rssBoundMib * mib),
    spareDescriptors: descriptorBound,
    chunksInUse: chunkBoundStreams * chunksOfStream(options),
  };
  const judge = (key: FigureKey) =>
    judgeGrowth(
      samples.map((sample) => [sample.seconds, sample[key]]),
      { bound: bounds[key], warmUpShare },
    );
  return {
    rssBytes: judge('rssBytes'),
    heapBytes: judge('heapBytes'),
    externalBytes: judge('externalBytes'),
    spareDescriptors: judge('spareDescriptors'),
    chunksInUse: judge('chunksInUse'),
  };
}

/** Without listeners each of the two streams keeps what fits into the buffer. */
function chunksAtRest(options: SoakOptions): number {
  return 2 * chunksOfStream(options) + fewChunks;
}

function chunksOfStream({ isPatient }: SoakOptions): number {
  return (isPatient ? patientBufferMs : usualBufferMs) / chunkMs;
}

/** What is still there although everybody has gone, when it stays. */
async function findLeftovers(at: ServerPlace, before: Figures, options: SoakOptions) {
  const untilMs = performance.now() + emptyLimitMs;
  for (;;) {
    const after = await readFigures(at);
    const problems: string[] = [];
    const expectNoMore = (key: keyof Figures, allowed: number, what: string) => {
      if (after[key] > allowed) problems.push(`${after[key]} ${what} are left, not ${allowed}`);
    };
    expectNoMore('sessions', 0, 'sessions');
    expectNoMore('controllers', 0, 'sessions of controllers');
    expectNoMore('descriptors', before.descriptors, 'descriptors');
    expectNoMore('chunksInUse', chunksAtRest(options), 'chunks');
    if (problems.length === 0 || performance.now() > untilMs) return { after, problems };
    await sleep(500);
  }
}

/** Runs the server under players and controllers that come and go. */
export async function soak(setup: SoakSetup): Promise<SoakResult> {
  const { options } = setup;
  const { running, producer, port, controlPort, at } = await startServer(setup);
  const problems: string[] = [];
  const attempt = async (work: Promise<unknown>) =>
    work.catch((error) => void problems.push(error.message));
  let isStopped = false;
  try {
    await readFigures(at);
    await sleep(restMs);
    const before = await readFigures(at);
    producer.start();
    const players = startPlayers(setup, port);
    await attempt(players.joined);
    const perPlayer = await countDescriptors(at, before);
    const controllers = new Controllers(controlPort, options);
    const looks = await watch(setup, { at, players });
    const samples = looks.map((look) => withSpares(look, perPlayer));
    await attempt(controllers.stop());
    await players.stop();
    problems.push(...players.problems);
    await producer.stop();
    const { after, problems: leftovers } = await findLeftovers(at, before, options);
    problems.push(...leftovers);
    isStopped = true;
    await attempt(running.stop());
    const growths = samples.length > 2 ? judgeAll(samples, options) : undefined;
    for (const [key, { verdict }] of Object.entries(growths ?? {})) {
      if (verdict !== 'level') problems.push(`${key}: ${verdict}`);
    }
    if (!growths) problems.push('the run ended before anything could be measured');
    const { skippedChunks } = after;
    const restarts = { producerRestarts: producer.restarts };
    const events = { ...players.latest, skippedChunks, ...controllers.counts, ...restarts };
    return { before, after, samples, growths, events, problems };
  } finally {
    if (!isStopped) running.signal('SIGKILL');
  }
}
