import { quoteWord, splitCommandLine } from '../../base/children/command-line.ts';
import { isSecretName, mask, withoutSecrets } from '../../base/secrets.ts';
import { textOf } from '../stream-parameters.ts';
import { legible, type StreamUri } from '../stream-uri.ts';
import type { SourceContext } from './stream-source.ts';

/** The program that does what a kind of stream would, for one address of that kind. */
interface Program {
  readonly path: string;
  readonly words: readonly string[];
  readonly sampleFormat: string;
  /** Parameters of the address that `words` hold. */
  readonly used: readonly string[];
}

type Described = Pick<SourceContext, 'uri' | 'format'>;

/** Kinds of upstream that are not built yet, and the programs to run by a `process` stream meanwhile. */
const programs: ReadonlyMap<string, (context: Described) => Program> = new Map([['alsa', arecord]]);

/** Parameters that mean the same in every address. */
const common = [
  'codec',
  'chunk_ms',
  'idle_threshold',
  'silence_threshold_percent',
  'send_silence',
  'controlscript',
  'controlscriptparams',
  'wd_timeout',
  'log_stderr',
];

/**
 * Says that a kind of stream is missing and what to write instead: all that the address says, but
 * for secrets, as a `process` stream that works. `undefined` for an unknown kind.
 */
export function missingSourceAdvice({ uri, format }: Described): string | undefined {
  const fault = `streams of type "${uri.scheme}" are not supported yet`;
  const program = programs.get(uri.scheme)?.({ uri, format });
  if (!program) return undefined;
  const known = [...common, ...program.used, 'name', 'sampleformat', 'params'];
  const lost = Object.keys(uri.query).filter((key) => !known.includes(key));
  const { text, hasSecrets } = addressOf(program, uri);
  const remarks = [
    ...(lost.length > 0 ? [`what has no counterpart is left out (${lost.join(', ')})`] : []),
    ...(hasSecrets ? ['put the secret in the place of ***'] : []),
  ];
  return `${[fault, ...remarks].join('; ')}: write source = ${text}`;
}

/** Short periods, as `arecord` writes one at a time. */
const alsaPeriodUs = 20_000;
const alsaFormats = { 8: 'S8', 16: 'S16_LE', 24: 'S24_LE', 32: 'S32_LE' } as const;

function arecord({ uri, format }: Described): Program {
  return {
    path: '/usr/bin/arecord',
    words: [
      ...['-q', '-t', 'raw', '-D', textOf(uri, 'device') ?? 'hw:0'],
      ...['-f', alsaFormats[format.bits], '-r', `${format.rateHz}`, '-c', `${format.channels}`],
      ...['-F', `${alsaPeriodUs}`],
      ...paramsOf(uri),
    ],
    sampleFormat: `${format}`,
    used: ['device'],
  };
}

function paramsOf({ query }: StreamUri): readonly string[] {
  return splitCommandLine(query.params ?? '');
}

function addressOf(
  program: Program,
  { query }: StreamUri,
): { readonly text: string; readonly hasSecrets: boolean } {
  const params = maskedWords(program.words).map(quoteWord).join(' ');
  const kept = common.flatMap((key) => {
    const value = query[key];
    if (value === undefined) return [];
    return [[key, key === 'controlscriptparams' ? maskedLine(value) : value] as const];
  });
  const pairs: readonly (readonly [string, string])[] = [
    ['name', query.name ?? ''],
    ['sampleformat', program.sampleFormat],
    ...kept,
    ['params', params],
  ];
  const text = pairs.map(([key, value]) => `${key}=${legible(value)}`).join('&');
  return {
    text: `process://${legible(program.path).replaceAll('?', '%3F')}?${text}`,
    hasSecrets: pairs.some(([, value]) => value.includes(mask)),
  };
}

function maskedLine(line: string): string {
  return maskedWords(splitCommandLine(line)).map(quoteWord).join(' ');
}

/** Logs and controllers show the advice. */
function maskedWords(words: readonly string[]): readonly string[] {
  return words.map((word, at) => {
    const previous = words[at - 1] ?? '';
    const isValue = /^--?[\w.-]+$/.test(previous) && isSecretName(previous);
    return isValue ? mask : withoutSecrets(word);
  });
}
