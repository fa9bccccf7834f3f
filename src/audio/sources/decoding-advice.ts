import { dirname, resolve } from 'node:path';
import { quoteWord } from '../../base/children/command-line.ts';
import type { SampleFormat } from '../sample-format.ts';
import { legible, type StreamUri } from '../stream-uri.ts';
import { pcmArguments } from './decoder-arguments.ts';
import type { FileKind } from './file-kind.ts';

/** Of the parameters that every stream has; no others, as those may hold secrets. */
const keptParameters = [
  'name',
  'codec',
  'chunk_ms',
  'idle_threshold',
  'silence_threshold_percent',
  'send_silence',
];

interface UnplayableFile {
  readonly path: string;
  readonly uri: StreamUri;
  /** Of the stream. */
  readonly format: SampleFormat;
  readonly head: Buffer;
}

/** What to do with a file that is no PCM, as the end of a sentence. */
export function adviceFor({ use }: FileKind, file: UnplayableFile): string {
  if (use === 'unpack') return 'unpack it first';
  if (use === 'nothing') return 'name a file with audio';
  if (use === 'decode') return decodingAdvice(file);
  const entry = firstEntry(file);
  const advice = 'name one of its entries';
  return entry === undefined ? advice : `${advice}, for example ${decodingAddress(file, entry)}`;
}

/** The address of the same stream with a program that decodes the file. */
export function decodingAdvice(file: Omit<UnplayableFile, 'head'>): string {
  return `have it decoded by ${decodingAddress(file, file.path)}`;
}

function decodingAddress({ uri, format }: Omit<UnplayableFile, 'head'>, input: string): string {
  const loop = input.startsWith('/') ? '-stream_loop -1 ' : '';
  const output = [...pcmArguments(format), '-'].join(' ');
  const kept = keptParameters.flatMap((key) => (uri.query[key] ? [[key, uri.query[key]]] : []));
  const query: Record<string, string> = {
    name: 'default',
    ...Object.fromEntries(kept),
    sampleformat: `${format}`,
    ...(format.bits === 24 && { packed_s24le: 'true' }),
    params: `-v error ${loop}-i ${quoteWord(input)} ${output}`,
  };
  const pairs = Object.entries(query).map(([key, value]) => `${key}=${legible(value)}`);
  return `process:///usr/bin/ffmpeg?${pairs.join('&')}`;
}

function firstEntry({ path, head }: UnplayableFile): string | undefined {
  const lines = head.toString().split(/[\r\n]+/);
  const entries = lines.map((line) => line.replace(/^\ufeff?(?:File\d+=)?/i, '').trim());
  const isEntry = (line: string) => line !== '' && !/^(#|\[|\w+=)/.test(line);
  const entry = entries.find(isEntry);
  if (entry === undefined) return undefined;
  return /^[a-z]+:\/\//i.test(entry) ? entry : resolve(dirname(path), entry);
}
