import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { splitCommandLine } from '../base/children/command-line.ts';
import { findProgram } from '../base/children/find-program.ts';
import { LineSplitter } from '../base/children/line-splitter.ts';
import { ProcessGroup } from '../base/children/process-group.ts';
import { messageOf } from '../base/errors.ts';
import { AnnounceError } from './announce-error.ts';

/** A run of the program that turns a text into sound. */
interface Speech {
  readonly output: Readable;
  /** Ends the program; resolves when it is gone, with why it failed, if it did. */
  end(): Promise<string | undefined>;
}

/**
 * Starts the program of `[announce] tts_command`: the text goes to its standard input, never into its
 * arguments, and a sound file comes from its standard output.
 *
 * Failure: throws an `AnnounceError`.
 */
export function speak(command: string, text: string): Speech {
  const [path, ...args] = splitCommandLine(command);
  if (path === undefined) {
    throw new AnnounceError(
      'no-speech',
      'this server cannot speak: set [announce] tts_command, or give url or an upload',
    );
  }
  try {
    return start(findProgram(path), args, text);
  } catch (error) {
    throw speechFailed(messageOf(error));
  }
}

function start(program: string, args: readonly string[], text: string): Speech {
  const child = spawn(program, args, { cwd: dirname(program), detached: true, stdio: 'pipe' });
  const group = new ProcessGroup(child);
  let lastLine = '';
  const lines = new LineSplitter((line) => {
    lastLine = line;
  });
  child.stderr.on('data', (data: Buffer) => lines.write(data));
  for (const stream of child.stdio) stream?.on('error', () => undefined);
  child.stdin.end(`${text}\n`);
  return {
    output: child.stdout,
    end: async () => {
      const { code, error } = await group.end('SIGTERM');
      lines.write(Buffer.from('\n'));
      for (const stream of child.stdio) stream?.destroy();
      if (error !== undefined) return error;
      return code === 0 ? undefined : lastLine || `it ended with code ${code}`;
    },
  };
}

export function speechFailed(reason: string): AnnounceError {
  return new AnnounceError('speech-failed', `tts_command: ${reason}`);
}
