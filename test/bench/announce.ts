import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlClient } from '../support/control-client.ts';
import { readMetrics } from '../support/metrics.ts';
import { wavFile } from '../support/pcm-fixtures.ts';
import { freePort, type ServerProcess } from '../support/server-process.ts';
import { cpuTimeBetween, readCpuTime } from './cpu-time.ts';
import { openFormats } from './formats.ts';
import { type LoadEvent, runLoadOn } from './load-run.ts';
import {
  type BenchContext,
  type BenchOptions,
  type BenchReport,
  type BenchServer,
  type CaseSetup,
  listFailures,
  runCases,
  type StartContext,
  wholeOf,
} from './run-cases.ts';
import { decimals, groupBy, markdownTable, median } from './table.ts';
import { startZerocast } from './zerocast-server.ts';

const clipName = 'speech.wav';
/** Not that of the streams, so that it is converted. */
const clipRateHz = 44_100;
/** Around each window, for what begins and ends. */
const marginMs = 1000;
const overLimitMs = 20_000;

type Controlled = ServerProcess & { readonly controlPort: number; readonly httpPort: number };

/** What the server needs and does in one window. */
interface Span {
  /** Percent of a core. */
  readonly cpuPercent: number;
  readonly encodedPerS: number;
  readonly variantPerS: number;
  readonly variants: number;
}

interface Spans {
  readonly before: Span;
  readonly during: Span;
  readonly after: Span;
}

interface AnnounceFigures extends Spans {
  readonly gaps: number;
}

/** Mono, a tone that goes up and down: as long as `ms`. */
function clip(ms: number): Buffer {
  const samples = new Int16Array(Math.round((clipRateHz * ms) / 1000));
  for (let frame = 0; frame < samples.length; frame += 1) {
    const seconds = frame / clipRateHz;
    const loudness = 8000 * (1 + Math.sin(2 * Math.PI * 3 * seconds));
    samples[frame] = Math.round(loudness * Math.sin(2 * Math.PI * 700 * seconds));
  }
  const pcm = Buffer.from(samples.buffer);
  return wavFile(pcm, { rateHz: clipRateHz, channels: 1 });
}

function serversFor(
  formats: Awaited<ReturnType<typeof openFormats>>,
  { windowMs }: BenchOptions,
): BenchServer<Controlled>[] {
  return formats.map((format) => ({
    name: 'announce',
    about: { format: format.name },
    async start(context: StartContext): Promise<Controlled> {
      const clips = join(context.workDir, 'clips');
      mkdirSync(clips, { recursive: true });
      writeFileSync(join(clips, clipName), clip(windowMs + 2 * marginMs));
      const [controlPort, httpPort] = [await freePort(), await freePort()];
      const running = await startZerocast({
        ...context,
        format,
        sendInterval: 'auto',
        serverArgs: [
          `--clips.folder=${clips}`,
          '--tcp-control.enabled=true',
          '--tcp-control.bind_to_address=127.0.0.1',
          `--tcp-control.port=${controlPort}`,
          '--http.enabled=true',
          '--http.bind_to_address=127.0.0.1',
          `--http.port=${httpPort}`,
        ],
      });
      await running.listening(controlPort);
      await running.listening(httpPort);
      return Object.assign(running, { controlPort, httpPort });
    },
  }));
}

async function observe({ running, options }: CaseSetup<Controlled>): Promise<Span> {
  const look = async () => {
    const figures = await readMetrics(running.httpPort);
    const figure = (name: string) => figures.get(`${name}{stream="bench"}`) ?? Number.NaN;
    return {
      variants: figure('zerocast_stream_variants'),
      encoded: figure('zerocast_stream_encoded_chunks_total'),
      variant: figure('zerocast_stream_variant_encoded_chunks_total'),
    };
  };
  const [first, cpu, startMs] = [await look(), readCpuTime(running.pid), performance.now()];
  await sleep(options.windowMs);
  const { totalUs } = cpuTimeBetween(cpu, readCpuTime(running.pid));
  const seconds = (performance.now() - startMs) / 1000;
  const last = await look();
  return {
    cpuPercent: totalUs / 10_000 / seconds,
    encodedPerS: (last.encoded - first.encoded) / seconds,
    variantPerS: (last.variant - first.variant) / seconds,
    variants: Math.max(first.variants, last.variants),
  };
}

/** Before, while something is announced to the first of them, and when the music is back. */
async function announce(setup: CaseSetup<Controlled>, addressed: number): Promise<Spans> {
  const { running } = setup;
  const controller = await ControlClient.connect(running.controlPort);
  try {
    const before = await observe(setup);
    const clients = Array.from({ length: addressed }, (_, index) => `bench-${index}`);
    const { id } = (await controller.request('Announce.Play', {
      file: clipName,
      targets: { clients },
    })) as { id: string };
    await sleep(marginMs);
    const during = await observe(setup);
    await over(controller, id);
    await sleep(marginMs);
    const after = await observe(setup);
    return { before, during, after };
  } finally {
    controller.close();
  }
}

async function over(controller: ControlClient, id: string): Promise<void> {
  const deadlineMs = performance.now() + overLimitMs;
  for (;;) {
    const { announcements } = (await controller.request('Announce.List')) as {
      announcements: readonly { readonly id: string }[];
    };
    if (announcements.every((one) => one.id !== id)) return;
    if (performance.now() > deadlineMs) throw new Error('the announcement does not end');
    await sleep(100);
  }
}

/** Two crowds, as the load client compares what all of its clients get. */
async function measure(setup: CaseSetup<Controlled>): Promise<AnnounceFigures> {
  const { clients, options } = setup;
  const addressed = Math.floor(clients / 2);
  const windowMs = 3 * options.windowMs + 8 * marginMs;
  let waiting = 2;
  let announcing: Promise<Spans> | undefined;
  let isDone = false;
  let leftEarly = false;
  const onEvent = (event: LoadEvent) => {
    if (event === 'window-start') waiting -= 1;
    if (event === 'window-end' && !isDone) leftEarly = true;
    if (waiting > 0 || announcing) return;
    announcing = announce(setup, addressed).finally(() => {
      isDone = true;
    });
    // What fails here is heard where it is awaited.
    announcing.catch(() => {});
  };
  const load = (clients: number, firstNumber: number) =>
    runLoadOn({ ...setup, clients }, onEvent, {
      'first-number': firstNumber,
      'window-ms': windowMs,
    });
  const loads = await Promise.all([load(addressed, 0), load(clients - addressed, addressed)]);
  if (!announcing) throw new Error('the clients have not joined');
  const spans = await announcing;
  if (leftEarly) throw new Error('clients left before the announcement was over');
  return { ...spans, gaps: loads.reduce((sum, { gaps }) => sum + gaps, 0) };
}

/** Exactly one more encoding while it is heard, and none otherwise. */
function faultOf({ before, during, after }: AnnounceFigures): string | undefined {
  const counts = [before, during, after].map(({ variants }) => variants).join('/');
  if (counts !== '0/1/0') return `variants before, during and after: ${counts}`;
  const share = during.variantPerS / during.encodedPerS;
  if (Math.abs(share - 1) > 0.05) return `${share.toFixed(2)} more chunks were encoded per chunk`;
  if (before.variantPerS + after.variantPerS > 0) return 'a variant is encoded that nobody hears';
  return undefined;
}

/** What it costs to announce something to a half of the players of one stream. */
export async function runAnnounce(
  options: BenchOptions,
  context: BenchContext,
): Promise<BenchReport> {
  const formats = await openFormats(options.formats, context);
  const servers = serversFor(formats, options);
  const cases = await runCases({ servers, measure, options, context });
  const whole = wholeOf(cases);
  const rows = groupBy(whole, ({ clients, format }) => `${clients} ${format}`).map((rounds) => {
    const middle = (of: (figures: AnnounceFigures) => number) => median(rounds.map(of));
    const [one] = rounds;
    return [
      String(one?.clients),
      String(Math.floor((one?.clients ?? 0) / 2)),
      String(one?.format),
      (['before', 'during', 'after'] as const)
        .map((key) =>
          decimals(
            middle((figures) => figures[key].cpuPercent),
            2,
          ),
        )
        .join(' / '),
      decimals(
        middle(({ before, during }) => during.cpuPercent / before.cpuPercent),
        2,
      ),
      decimals(
        middle(({ before, after }) => after.cpuPercent / before.cpuPercent),
        2,
      ),
      decimals(
        middle(({ during }) => during.variantPerS / during.encodedPerS),
        2,
      ),
      String(rounds.reduce((sum, { gaps }) => sum + gaps, 0)),
    ];
  });
  const head = [
    'players',
    'addressed',
    'format',
    'CPU before / during / after, % of a core',
    'during : before',
    'after : before',
    'more encodings',
    'gaps of all',
  ];
  const faults = whole.flatMap((one) => {
    const fault = one.gaps > 0 ? `${one.gaps} gaps` : faultOf(one);
    return fault === undefined ? [] : [`${one.clients} clients, ${one.format}: ${fault}`];
  });
  return {
    options,
    cases,
    text: markdownTable([head, ...rows]),
    failures: [...listFailures(cases), ...faults],
    path: 'loopback',
  };
}
