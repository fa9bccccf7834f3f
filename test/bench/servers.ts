import { type Baseline, startSendLoop, startWriteLoop } from './baselines.ts';
import { createFeed } from './feeder.ts';
import type { OpenedFormat } from './formats.ts';
import type { BenchServer, StartContext } from './run-cases.ts';
import { startSnapserver } from './snapserver.ts';
import { startZerocast, type ZerocastSettings } from './zerocast-server.ts';

/** `auto` is 200 ms at the default buffer of 1 s. */
export const chunksPerAutoInterval = 10;

/** The measured ways of sending. */
const zerocast: Readonly<
  Record<string, { readonly label: string; readonly settings: Partial<ZerocastSettings> }>
> = {
  native: { label: 'zerocast native', settings: {} },
  zerocopy: {
    label: 'zerocast zero-copy forced',
    settings: {
      serverArgs: ['-z', '--stream.zerocopy_min_bytes=1', '--stream.zerocopy_mode=always'],
    },
  },
  adaptive: { label: 'zerocast zero-copy adaptive', settings: { serverArgs: ['-z'] } },
  node: { label: 'zerocast JavaScript', settings: { environment: { ZEROCAST_NATIVE: 'off' } } },
};

interface OtherServer {
  readonly label: string;
  start(settings: Baseline): ReturnType<BenchServer['start']>;
}

const others: Readonly<Record<string, OtherServer>> = {
  c: { label: 'C send loop', start: startSendLoop },
  c10: {
    label: `C send loop, ${chunksPerAutoInterval} chunks per send`,
    start: (settings) => startSendLoop({ ...settings, chunksPerSend: chunksPerAutoInterval }),
  },
  naive: { label: 'naive', start: startWriteLoop },
  snapserver: {
    label: 'snapserver',
    start: ({ format, ...context }) => startSnapserver(format, context),
  },
};

export const serverNames = [...Object.keys(others), ...Object.keys(zerocast)];

export interface ServerChoice {
  readonly names: readonly string[];
  readonly format: OpenedFormat;
  readonly sendIntervals: readonly string[];
  readonly isFed: boolean;
  /** Loaded into those of ours. */
  readonly observer?: string;
}

type OurSettings = Partial<ZerocastSettings> & Pick<ZerocastSettings, 'sendInterval'>;

async function startOurs(
  settings: OurSettings,
  { format, isFed }: ServerChoice,
  context: StartContext,
) {
  if (!isFed) return startZerocast({ ...context, ...settings, format });
  const feed = createFeed(format, context);
  const { source } = feed;
  const running = await startZerocast({ ...context, ...settings, format: { ...format, source } });
  feed.play();
  return running;
}

/** Every server of `names` in one format, those of ours once per send interval. */
export function listServers(choice: ServerChoice): BenchServer[] {
  const { names, format, sendIntervals, observer } = choice;
  const nodeArgs = observer ? ['--import', new URL(`${observer}.mjs`, import.meta.url).href] : [];
  return names.flatMap((key): BenchServer[] => {
    const other = others[key];
    if (other) {
      const about = { key, format: format.name };
      return [
        { name: other.label, about, start: (context) => other.start({ ...context, format }) },
      ];
    }
    const { label, settings } = zerocast[key]!;
    return sendIntervals.map((sendInterval) => ({
      name: `${label}, send_interval ${sendInterval}`,
      about: { key, format: format.name, sendInterval },
      ...(observer && { observer }),
      start: (context) => startOurs({ ...settings, sendInterval, nodeArgs }, choice, context),
    }));
  });
}
