import { startSendLoop, startWriteLoop } from './baselines.mjs';
import { startZerocast } from './zerocast-server.mjs';

const tickObserver = new URL('tick-observer.mjs', import.meta.url).href;

/** The measured ways of sending; `settings` are those of `startZerocast`. */
const zerocast = {
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
};

export const baselineLabel = bare.c.label;
export const serverNames = [...Object.keys(bare), ...Object.keys(zerocast)];

/**
 * Every server of `names` in one format, those of ours once per send interval.
 *
 * Shape: as `runCases` takes them; only the observed ones report their ticks.
 */
export function listServers({ names, format, sendIntervals }) {
  const nodeArgs = ['--import', tickObserver];
  return names.flatMap((key) => {
    if (Object.hasOwn(bare, key)) {
      const { label, start } = bare[key];
      const about = { key, format: format.name };
      return [{ name: label, about, start: (context) => start({ ...context, format }) }];
    }
    const { label, settings } = zerocast[key];
    return sendIntervals.map((sendInterval) => ({
      name: `${label}, send_interval ${sendInterval}`,
      about: { key, format: format.name, sendInterval },
      isObserved: true,
      start: (context) =>
        startZerocast({ ...context, ...settings, format, sendInterval, nodeArgs }),
    }));
  });
}
