import { startSendLoop, startWriteLoop } from './baselines.ts';
import type { OpenedFormat } from './formats.ts';
import type { BenchServer } from './run-cases.ts';
import { startZerocast, type ZerocastSettings } from './zerocast-server.ts';

const tickObserver = new URL('tick-observer.mjs', import.meta.url).href;

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

const bare = {
  c: { label: 'C send loop', start: startSendLoop },
  naive: { label: 'naive', start: startWriteLoop },
} as const;

export const serverNames = [...Object.keys(bare), ...Object.keys(zerocast)];

/** Every server of `names` in one format, those of ours once per send interval. */
export function listServers({
  names,
  format,
  sendIntervals,
}: {
  readonly names: readonly string[];
  readonly format: OpenedFormat;
  readonly sendIntervals: readonly string[];
}): BenchServer[] {
  const nodeArgs = ['--import', tickObserver];
  return names.flatMap((key): BenchServer[] => {
    if (key === 'c' || key === 'naive') {
      const { label, start } = bare[key];
      const about = { key, format: format.name };
      return [{ name: label, about, start: (context) => start({ ...context, format }) }];
    }
    const { label, settings } = zerocast[key]!;
    return sendIntervals.map((sendInterval) => ({
      name: `${label}, send_interval ${sendInterval}`,
      about: { key, format: format.name, sendInterval },
      isObserved: true,
      start: (context) =>
        startZerocast({ ...context, ...settings, format, sendInterval, nodeArgs }),
    }));
  });
}
