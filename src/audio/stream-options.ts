import { messageOf, SourceError } from '../errors.ts';
import { SampleFormat } from './sample-format.ts';
import { badParameter, flagOf, numberOf, textOf } from './stream-parameters.ts';
import { parseStreamUri, type StreamUri } from './stream-uri.ts';

/** What holds for every stream whose address does not say otherwise. */
export interface StreamDefaults {
  readonly format: SampleFormat;
  /** `name[:options]` */
  readonly codec: string;
  readonly chunkMs: number;
  readonly bufferMs: number;
  /** How much of the past a client that joins can still play. */
  readonly pastMs: number;
  /** How late audio may come before its time base is set anew. */
  readonly resyncToleranceMs: number;
}

/** Everything that one address says about its stream. Source: protocol reference, 15.1. */
export interface StreamOptions extends StreamDefaults {
  readonly uri: StreamUri;
  /** Unique; serves as the id of the stream. */
  readonly name: string;
  /** True when the address itself names the sample format. */
  readonly formatIsExplicit: boolean;
  /** Silence, or no data, for this long makes the stream idle. */
  readonly idleThresholdMs: number;
  /** Samples within this percentage of full scale count as silent; 0 means exact zeros. */
  readonly silenceThresholdPercent: number;
  /** Whether the silence of an idle stream is sent to clients. */
  readonly sendSilence: boolean;
  /** Raw 24-bit samples arrive as 3 bytes each, without the 4-byte container. */
  readonly packed24: boolean;
}

const chunkRangeMs = { min: 1, max: 1000, unit: 'ms' };
const idleThreshold = { fallback: 100, min: 10, max: 86_400_000, unit: 'ms' };
const silenceThreshold = { fallback: 0, min: 0, max: 100, unit: 'percent' };

/** Failure: throws a `SourceError` that names the parameter and what is allowed. */
export function parseStreamOptions(text: string, defaults: StreamDefaults): StreamOptions {
  const uri = parseStreamUri(text);
  const name = textOf(uri, 'name');
  if (name === undefined) {
    throw new SourceError('no-name', `the stream address "${text}" lacks a name: add ?name=…`);
  }
  const formatText = textOf(uri, 'sampleformat');
  const format = formatText === undefined ? defaults.format : parseFormat(uri, formatText);
  const packed24 = flagOf(uri, 'packed_s24le', false);
  if (packed24 && format.bits !== 24) {
    throw badParameter(uri, 'packed_s24le', `it needs a 24-bit sampleformat, not ${format}`);
  }
  return {
    ...defaults,
    uri,
    name,
    format,
    formatIsExplicit: formatText !== undefined,
    codec: textOf(uri, 'codec') ?? defaults.codec,
    chunkMs: numberOf(uri, 'chunk_ms', { fallback: defaults.chunkMs, ...chunkRangeMs }),
    idleThresholdMs: numberOf(uri, 'idle_threshold', idleThreshold),
    silenceThresholdPercent: numberOf(uri, 'silence_threshold_percent', silenceThreshold),
    sendSilence: flagOf(uri, 'send_silence', true),
    packed24,
  };
}

function parseFormat(uri: StreamUri, text: string): SampleFormat {
  try {
    return SampleFormat.parse(text);
  } catch (cause) {
    throw badParameter(uri, 'sampleformat', messageOf(cause), cause);
  }
}
