import { SourceError } from '../../base/errors.ts';
import type { Codec } from './encoder.ts';

const defaultQuality = 0.9;
const leastQuality = -0.1;
const mostQuality = 1;

/** Lossy, for players from before there was Opus. Loaded when a stream first wants it. */
export const oggCodec: Codec = {
  name: 'ogg',
  help:
    `ogg[:VBR:<quality>]: Ogg Vorbis, lossy; quality ${leastQuality.toFixed(1)} (small) to ` +
    `${mostQuality.toFixed(1)}, default VBR:${defaultQuality}; browsers and ESP32 cannot play it`,
  caveat: 'browsers and ESP32 cannot play ogg: opus is smaller and faster',
  create: async ({ options, ...context }) => {
    const quality = parseQuality(options);
    const { createOggEncoder, openVorbisStream } = await import('./ogg-encoder.ts');
    return createOggEncoder({ ...context, quality }, openVorbisStream);
  },
};

/** Failure: throws a `SourceError` in the words of the original. */
function parseQuality(options: string): number {
  if (options === '') return defaultQuality;
  const [mode = '', value, ...more] = options.split(':').map((part) => part.trim());
  if (value === undefined || more.length > 0) {
    throw badOptions(`Invalid codec options: "${options}"`);
  }
  if (mode.toUpperCase() !== 'VBR') {
    throw badOptions(`Unsupported codec mode: "${mode}". Available: "VBR"`);
  }
  const quality = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isNaN(quality)) throw badOptions(`Invalid codec option: "${value}"`);
  if (quality >= leastQuality && quality <= mostQuality) return quality;
  throw badOptions(
    `Invalid codec option: "${value}": the quality is a number from ${leastQuality.toFixed(1)} to ` +
      mostQuality.toFixed(1),
  );
}

function badOptions(fault: string): SourceError {
  return new SourceError('bad-codec-options', `${fault}: write for example ogg:VBR:0.5`);
}
