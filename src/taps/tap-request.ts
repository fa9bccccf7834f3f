import type { SampleFormat } from '../audio/sample-format.ts';
import { type MelPresetName, melPresetNames } from '../dsp/mel-shape.ts';
import { TapError } from './tap-error.ts';

/** What a program wants to get of a stream. */
export type TapRequest =
  /** Absent: as the stream has it. */
  | { readonly as: 'pcm'; readonly rateHz?: number; readonly channels?: number }
  | { readonly as: 'mel'; readonly preset: MelPresetName; readonly bands?: number };

/** Not any rate: each needs a filter of its own, which all taps of a stream share. */
const ratesHz = [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];
/** Streams that can be converted. */
const rateRangeHz = { lowest: 8000, highest: 192_000 } as const;
const parametersOf = { pcm: ['rate', 'channels'], mel: ['preset', 'bands'] } as const;
/** So many bands can be asked for of the preset for speech; that for display has the first. */
const bandCounts = [80, 128];

/**
 * Reads the query of a tap.
 *
 * Failure: throws a `TapError` that says what can be asked for.
 */
export function parseTapRequest(query: string, format: SampleFormat): TapRequest {
  const params = new URLSearchParams(query);
  const as = params.get('as');
  if (as !== 'pcm' && as !== 'mel') {
    throw bad(`as=${as ?? ''} is no kind of tap: ask for as=pcm or as=mel`);
  }
  const known: readonly string[] = ['as', ...parametersOf[as]];
  for (const name of params.keys()) {
    if (!known.includes(name)) throw bad(`${name} is unknown: as=${as} takes ${known.join(', ')}`);
    if (params.getAll(name).length > 1) throw bad(`${name} is there twice: say it once`);
  }
  return as === 'pcm' ? pcmRequest(params, format) : melRequest(params, format);
}

function pcmRequest(params: URLSearchParams, format: SampleFormat): TapRequest {
  const rateHz = numberOf(params, 'rate');
  const channels = numberOf(params, 'channels');
  if (channels !== undefined && channels !== 1 && channels !== format.channels) {
    throw bad(`channels=${channels}: leave it out for all ${format.channels}, or ask for 1`);
  }
  // What is so already needs no conversion.
  const wantsRate = rateHz !== undefined && rateHz !== format.rateHz;
  if (wantsRate && !ratesHz.includes(rateHz)) {
    throw bad(`rate=${rateHz}: leave it out, or ask for ${ratesHz.join(', ')}`);
  }
  const wantsMono = channels !== undefined && channels !== format.channels;
  if (wantsRate) requireRate(format);
  return { as: 'pcm', ...(wantsRate && { rateHz }), ...(wantsMono && { channels }) };
}

function melRequest(params: URLSearchParams, format: SampleFormat): TapRequest {
  const asked = params.get('preset') ?? 'speech';
  const preset = melPresetNames.find((name) => name === asked);
  if (!preset) throw bad(`preset=${asked} is unknown: ask for ${melPresetNames.join(' or ')}`);
  const bands = numberOf(params, 'bands');
  const allowed = preset === 'speech' ? bandCounts : bandCounts.slice(0, 1);
  if (bands !== undefined && !allowed.includes(bands)) {
    throw bad(`bands=${bands}: preset=${preset} has ${allowed.join(' or ')}`);
  }
  requireRate(format);
  return { as: 'mel', preset, ...(bands !== undefined && { bands }) };
}

function numberOf(params: URLSearchParams, name: string): number | undefined {
  const text = params.get(name);
  if (text === null) return undefined;
  if (!/^[0-9]{1,9}$/.test(text)) throw bad(`${name}=${text} is no whole number`);
  return Number(text);
}

function requireRate({ rateHz }: SampleFormat): void {
  if (rateHz >= rateRangeHz.lowest && rateHz <= rateRangeHz.highest) return;
  throw bad(`a stream of ${rateHz} Hz cannot be converted: ask for as=pcm without a rate`);
}

function bad(message: string): TapError {
  return new TapError('bad-request', message);
}
