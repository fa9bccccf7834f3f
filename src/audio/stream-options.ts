import { messageOf, SourceError } from '../errors.ts';
import { SampleFormat } from './sample-format.ts';
import { parseStreamUri, type StreamUri } from './stream-uri.ts';

/** What holds for every stream whose address does not say otherwise. */
export interface StreamDefaults {
  readonly format: SampleFormat;
  /** `name[:options]` */
  readonly codec: string;
  readonly chunkMs: number;
  readonly bufferMs: number;
  /** How late audio may come before its time base is set anew. */
  readonly resyncToleranceMs: number;
}

/** Everything that one address says about its stream. Source: protocol reference, 15.1. */
export interface StreamOptions extends StreamDefaults {
  readonly uri: StreamUri;
  /** Unique; serves as the id of the stream. */
  readonly name: string;
  readonly formatIsExplicit: boolean;
  /** Silence, or no data, for this long makes the stream idle. */
  readonly idleThresholdMs: number;
  /** Samples within this percentage of full scale count as silent; 0 means exact zeros. */
  readonly silenceThresholdPercent: number;
  /** Whether the silence of an idle stream is sent to clients. */
  readonly sendSilence: boolean;
  /** 24-bit samples arrive as 3 bytes each. */
  readonly packed24: boolean;
}

const minChunkMs = 1;
const maxChunkMs = 1000;

/** Failure: throws a `SourceError` that names the parameter and what is allowed. */
export function parseStreamOptions(text: string, defaults: StreamDefaults): StreamOptions {
  const uri = parseStreamUri(text);
  const { query } = uri;
  const name = query.name;
  if (!name) {
    throw new SourceError('no-name', `the stream address "${text}" lacks a name: add ?name=…`);
  }
  const number = (key: string, fallback: number, range: Range) =>
    parseNumber({ key, text: query[key], fallback, range, name });
  const flag = (key: string, fallback: boolean) =>
    parseFlag({ key, text: query[key], fallback, name });
  const format = query.sampleformat ? parseFormat(query.sampleformat, name) : defaults.format;
  const packed24 = flag('packed_s24le', false);
  if (packed24 && format.bits !== 24) {
    throw new SourceError(
      'bad-parameter',
      `stream "${name}": packed_s24le=true needs a 24-bit sampleformat, not ${format}`,
    );
  }
  return {
    ...defaults,
    uri,
    name,
    format,
    formatIsExplicit: Boolean(query.sampleformat),
    codec: query.codec || defaults.codec,
    chunkMs: number('chunk_ms', defaults.chunkMs, { min: minChunkMs, max: maxChunkMs }),
    idleThresholdMs: number('idle_threshold', 100, { min: 10, max: 86_400_000 }),
    silenceThresholdPercent: number('silence_threshold_percent', 0, { min: 0, max: 100 }),
    sendSilence: flag('send_silence', true),
    packed24,
  };
}

interface Range {
  readonly min: number;
  readonly max: number;
}

interface Parameter<T> {
  readonly key: string;
  readonly text: string | undefined;
  readonly fallback: T;
  readonly name: string;
}

function parseNumber(parameter: Parameter<number> & { readonly range: Range }): number {
  const { key, text, fallback, name, range } = parameter;
  if (text === undefined) return fallback;
  const value = text === '' ? Number.NaN : Number(text);
  if (!(value >= range.min && value <= range.max)) {
    throw new SourceError(
      'bad-parameter',
      `stream "${name}": ${key}=${text} must be a number from ${range.min} to ${range.max}`,
    );
  }
  return value;
}

function parseFlag(parameter: Parameter<boolean>): boolean {
  const { key, text, fallback, name } = parameter;
  if (text === undefined) return fallback;
  if (/^(true|1|yes|on)$/i.test(text)) return true;
  if (/^(false|0|no|off)$/i.test(text)) return false;
  throw new SourceError('bad-parameter', `stream "${name}": ${key}=${text} must be true or false`);
}

function parseFormat(text: string, name: string): SampleFormat {
  try {
    return SampleFormat.parse(text);
  } catch (cause) {
    throw new SourceError('bad-parameter', `stream "${name}": ${messageOf(cause)}`, { cause });
  }
}
