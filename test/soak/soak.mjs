import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../bench/server-process.mjs';
import { startZerocast } from '../bench/zerocast-server.mjs';
import { Controllers } from './controllers.mjs';
import { readFigures } from './figures.mjs';
import { Players } from './players.mjs';
import { figureKeys } from './report.mjs';
import { judgeGrowth } from './slope.mjs';
import { Producer, rateHz, writeCounter } from './sounds.mjs';

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

async function startServer({ options, workDir }) {
  const { players, isPatient, server } = options;
  const [port, controlPort, httpPort] = [await freePort(), await freePort(), await freePort()];
  const counterFile = join(workDir, 'counter.raw');
  writeCounter(counterFile);
  const producer = new Producer(join(workDir, 'feed'), options.seed);
  const running = await startZerocast({
    main: server,
    workDir,
    port,
    format: {
      source: `file://${counterFile}`,
      sampleFormat: `${rateHz}:16:2`,
      codec: 'pcm',
    },
    sendInterval: 'auto',
    serverArgs: [
      `--stream.source=pipe://${join(workDir, 'feed')}?name=feed&mode=read&sampleformat=${rateHz}:16:2&codec=flac`,
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

function startPlayers(program, { port, options }) {
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
async function countDescriptors(at, before) {
  const { descriptors, sessions } = await readFigures(at);
  return Math.round((descriptors - before.descriptors) / Math.max(1, sessions));
}

/** Adds the descriptors that belong to nobody who is connected. */
function withSpares(look, perPlayer) {
  const { descriptors, sessions, controllers } = look;
  return { ...look, spareDescriptors: descriptors - perPlayer * sessions - controllers };
}

/** Looks at the server until the time is over or a player had to give up. */
async function watch({ at, options, players, progress }) {
  const samples = [];
  const startMs = performance.now();
  const endMs = startMs + options.minutes * 60_000;
  let nextMs = startMs;
  while (nextMs <= endMs && !players.hasEnded) {
    await sleep(Math.max(0, nextMs - performance.now()));
    const seconds = (performance.now() - startMs) / 1000;
    samples.push({ seconds, ...(await readFigures(at)) });
    progress(samples.at(-1), players.latest);
    nextMs += options.sampleMs;
  }
  return samples;
}

function judgeAll(samples, options) {
  const { warmUpShare, rssBoundMib } = options;
  const middleRss = samples[Math.floor(samples.length / 2)].rssBytes;
  const bounds = {
    rssBytes: Math.max(rssBoundMib * mib, rssBoundShare * middleRss),
    heapBytes: Math.max(collectedBoundBytes, rssBoundMib * mib),
    externalBytes: Math.max(collectedBoundBytes, rssBoundMib * mib),
    spareDescriptors: descriptorBound,
    chunksInUse: chunkBoundStreams * chunksOfStream(options),
  };
  return Object.fromEntries(
    figureKeys.map((key) => {
      const points = samples.map((sample) => [sample.seconds, sample[key]]);
      return [key, judgeGrowth(points, { bound: bounds[key], warmUpShare })];
    }),
  );
}

/** Without listeners each of the two streams keeps what fits into the buffer. */
function chunksAtRest(options) {
  return 2 * chunksOfStream(options) + fewChunks;
}

function chunksOfStream({ isPatient }) {
  return (isPatient ? patientBufferMs : usualBufferMs) / chunkMs;
}

/** What is still there although everybody has gone, when it stays. */
async function findLeftovers(at, before, options) {
  const untilMs = performance.now() + emptyLimitMs;
  for (;;) {
    const after = await readFigures(at);
    const problems = [];
    const expectNoMore = (key, allowed, what) => {
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

/**
 * Runs the server under players and controllers that come and go.
 *
 * Shape: resolves to `samples`, a verdict per figure in `growths`, what happened in `events`, and
 * `problems`, of which there are none when all is well.
 */
export async function soak({ program, options, workDir, progress }) {
  const { running, producer, port, controlPort, at } = await startServer({ options, workDir });
  const problems = [];
  const attempt = async (work) => work.catch((error) => void problems.push(error.message));
  let isStopped = false;
  try {
    await readFigures(at);
    await sleep(restMs);
    const before = await readFigures(at);
    producer.start();
    const players = startPlayers(program, { port, options });
    await attempt(players.joined);
    const perPlayer = await countDescriptors(at, before);
    const controllers = new Controllers(controlPort, options.seed);
    const looks = await watch({ at, options, players, progress });
    const samples = looks.map((look) => withSpares(look, perPlayer));
    await attempt(controllers.stop());
    const result = await players.stop();
    problems.push(...result.problems);
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
    const { problems: _, ...heard } = result;
    const { skippedChunks } = after;
    const restarts = { producerRestarts: producer.restarts };
    const events = { ...heard, skippedChunks, ...controllers.counts, ...restarts };
    return { before, after, samples, growths, events, problems };
  } finally {
    if (!isStopped) running.signal('SIGKILL');
  }
}
