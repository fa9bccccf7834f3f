import { messageOf, SourceError } from '../base/errors.ts';
import { cutText } from '../base/foreign-text.ts';
import { capturingSchemes, fixedFormat, unknownParameters } from './known-parameters.ts';
import { SampleFormat } from './sample-format.ts';
import {
  badParameter,
  flagOf,
  type NumberRange,
  numberOf,
  type StreamParameters,
  textOf,
} from './stream-parameters.ts';
import { formatStreamUri, parseStreamUri, type StreamUri, shownAddress } from './stream-uri.ts';

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
  /** What it plays is mixed over others; no client plays it. */
  readonly isAnnouncer: boolean;
  /** What is not right in the address and was fixed or has no effect. */
  readonly warnings: readonly string[];
}

/** What a program says about a stream whose audio it brings itself. */
export interface CustomStreamOptions {
  /** Unique; serves as the id of the stream. */
  readonly name: string;
  /** `rate:bits:channels` */
  readonly sampleFormat?: string;
  /** `name[:options]` */
  readonly codec?: string;
  readonly chunkMs?: number;
  readonly idleThresholdMs?: number;
  readonly silenceThresholdPercent?: number;
  readonly sendSilence?: boolean;
  readonly packed24?: boolean;
}

/** What controllers see as the address of such a stream. */
const customScheme = 'custom';

/** Each group remembers the name of its stream, in the state file, too. */
export const maxStreamNameLength = 512;
const idleThreshold = { fallback: 100, min: 10, max: 86_400_000, unit: 'ms' };
const silenceThreshold = { fallback: 0, min: 0, max: 100, unit: 'percent' };

/** The original reads its usual chunks whatever is said, so 0 stands for the default. */
function chunkRangeMs(fallback: number): NumberRange {
  return { fallback, min: 1, max: 1000, unit: 'ms', insteadOfLess: fallback };
}

/** Failure: throws a `SourceError` that names the parameter and what is allowed. */
export function parseStreamOptions(text: string, defaults: StreamDefaults): StreamOptions {
  const uri = parseStreamUri(text);
  const name = textOf(uri, 'name');
  if (name === undefined) {
    const where = `"${shownAddress(text)}" lacks a name: add ?name=…`;
    throw new SourceError('no-name', `Stream URI must have a name: the stream address ${where}`);
  }
  if (name.length > maxStreamNameLength) {
    const start = `${cutText(name, 32)}…`;
    const fault = `the stream name "${start}" is longer than ${maxStreamNameLength} characters`;
    throw new SourceError('long-name', `${fault}: shorten it`);
  }
  const warnings = unknownParameters(uri);
  const fixed = fixedFormat(uri);
  const said = textOf(uri, 'sampleformat');
  if (fixed !== undefined && said !== undefined && said !== fixed) {
    warnings.push(`sampleformat=${said} has no effect: ${uri.scheme} always plays ${fixed}`);
  }
  const formatText = fixed ?? said;
  const format = formatText === undefined ? defaults.format : parseFormat(uri, formatText);
  const parameters: StreamParameters = { uri, warn: (sentence) => warnings.push(sentence) };
  const isAnnouncer = textOf(uri, 'announce') !== undefined;
  const packed24 = flagOf(parameters, 'packed_s24le', false);
  if (packed24 && format.bits !== 24) {
    throw badParameter(uri, 'packed_s24le', `it needs a 24-bit sampleformat, not ${format}`);
  }
  return {
    ...defaults,
    uri,
    name,
    format,
    formatIsExplicit: formatText !== undefined,
    codec: isAnnouncer ? 'null' : (textOf(uri, 'codec') ?? defaults.codec),
    isAnnouncer,
    chunkMs: numberOf(parameters, 'chunk_ms', chunkRangeMs(defaults.chunkMs)),
    idleThresholdMs: numberOf(parameters, 'idle_threshold', idleThreshold),
    silenceThresholdPercent: numberOf(parameters, 'silence_threshold_percent', silenceThreshold),
    sendSilence: flagOf(parameters, 'send_silence', !capturingSchemes.has(uri.scheme)),
    packed24,
    warnings,
  };
}

/**
 * The same for a stream without an address; what it does not say has the defaults.
 *
 * Failure: also for what would be fixed in an address, as the caller can fix it.
 */
export function customStreamOptions(
  custom: CustomStreamOptions,
  defaults: StreamDefaults,
): StreamOptions {
  const parameters: Readonly<Record<string, string | number | boolean | undefined>> = {
    name: custom.name,
    sampleformat: custom.sampleFormat,
    codec: custom.codec,
    chunk_ms: custom.chunkMs,
    idle_threshold: custom.idleThresholdMs,
    silence_threshold_percent: custom.silenceThresholdPercent,
    send_silence: custom.sendSilence,
    packed_s24le: custom.packed24,
  };
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
  const query = Object.fromEntries(given.map(([key, value]) => [key, String(value)]));
  const address = { scheme: customScheme, host: '', path: '', fragment: '', query };
  const options = parseStreamOptions(formatStreamUri(address), defaults);
  const [fault] = options.warnings;
  if (fault === undefined) return options;
  throw new SourceError('bad-parameter', `stream "${options.name}": ${fault}`);
}

function parseFormat(uri: StreamUri, text: string): SampleFormat {
  try {
    return SampleFormat.parse(text);
  } catch (cause) {
    throw badParameter(uri, 'sampleformat', messageOf(cause), cause);
  }
}
