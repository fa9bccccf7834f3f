import { closeSync, constants, fstatSync, lstatSync, openSync } from 'node:fs';
import { extname } from 'node:path';
import { quoteWord } from '../../base/children/command-line.ts';
import { codeOf, messageOf, SourceError, ZerocastError } from '../../base/errors.ts';
import type { SampleFormat } from '../sample-format.ts';
import { decoderArguments, decoderProgram, pcmArguments } from './decoder-arguments.ts';
import type { FileGate } from './file-gate.ts';
import { createFileSource } from './file-source.ts';
import { pathOf } from './local-path.ts';
import { createProcessSource } from './process-source.ts';
import type { SourceContext, StreamSource } from './stream-source.ts';
import { otherEncoding, readWavHeader } from './wav-header.ts';

/** The endings of clips without a header. */
export const rawEndings: readonly string[] = ['.raw', '.pcm'];

/** Finds the file of the clip. Failure: rejects with a `SourceError`. */
export async function prepareClip(context: SourceContext): Promise<SourceContext> {
  const name = context.uri.path.slice(1);
  if (name === '') return context;
  try {
    return { ...context, clipFile: await context.findClip?.(name) };
  } catch (error) {
    throw unplayable(name, error);
  }
}

/**
 * Plays a clip of the library over and over: `clip:///name`. PCM is read from its file, all else
 * decoded by `ffmpeg`.
 *
 * Failure: also without `prepareClip`.
 */
export function createClipSource(context: SourceContext): StreamSource {
  const { clipFile, uri } = context;
  const name = pathOf(context).slice(1);
  try {
    if (clipFile === undefined) throw new SourceError('no-library', 'there is no library here');
    if (isPcm(clipFile)) {
      return createFileSource({ ...context, fileGate, uri: { ...uri, path: clipFile } });
    }
    const { format } = context;
    const packed24 = format.bits === 24;
    const query = { ...uri.query, params: decodingOf(clipFile, format) };
    return createProcessSource({
      ...context,
      packed24,
      uri: { ...uri, path: decoderProgram, query },
    });
  } catch (error) {
    throw unplayable(name, error);
  }
}

function isPcm(path: string): boolean {
  const descriptor = openSync(
    path,
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  );
  try {
    const isWav = readWavHeader(descriptor) !== undefined;
    return isWav || rawEndings.includes(extname(path).toLowerCase());
  } catch (error) {
    if (codeOf(error) === otherEncoding) return false;
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

function decodingOf(path: string, format: SampleFormat): string {
  const input = ['-stream_loop', '-1', '-i', `file:${path}`, '-map', '0:a:0'];
  return [...decoderArguments('file'), ...input, ...pcmArguments(format), '-']
    .map(quoteWord)
    .join(' ');
}

/** The library has said which file it is: that one, and no link that was put there since. */
const fileGate: FileGate = {
  checkPath(path) {
    if (!lstatSync(path).isFile()) throw new SourceError('no-file', 'it is no file of its own');
  },
  takeFifo: () => undefined,
  checkOpen(path, descriptor) {
    const named = lstatSync(path, { throwIfNoEntry: false });
    const opened = fstatSync(descriptor);
    if (named?.ino !== opened.ino || named.dev !== opened.dev) {
      throw new SourceError('replaced', 'it was replaced at the moment at which it was opened');
    }
  },
};

function unplayable(name: string, error: unknown): SourceError {
  const code = error instanceof ZerocastError ? error.code : 'clip-unreadable';
  const reason =
    code === 'no-program' ? 'it has to be decoded by ffmpeg: install it' : messageOf(error);
  return new SourceError(code, `the clip ${JSON.stringify(name)} cannot be played: ${reason}`, {
    cause: error,
  });
}
