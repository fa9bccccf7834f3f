import { basename, resolve } from 'node:path';
import { messageOf, ZerocastError } from '../base/errors.ts';
import type { NativeAddonResult } from '../base/native/native-addon.ts';
import type { Config } from '../config/config.ts';
import { ClipError } from './clip-error.ts';
import type { Clip } from './clip-facts.ts';
import { jsonOfClip } from './clip-json.ts';
import type { ClipLibrary } from './clip-library.ts';
import { type ClipParts, openClips } from './open-clips.ts';
import { inMebibytes, ProgressBar } from './progress-bar.ts';

/** What `zerocast clips` is to do. */
export type ClipsRequest =
  | { readonly action: 'list'; readonly json: boolean }
  | { readonly action: 'remove'; readonly names: readonly string[] }
  | {
      readonly action: 'add';
      readonly files: readonly string[];
      /** Of the only file; absent: as the file is called. */
      readonly name?: string;
      readonly replace: boolean;
    };

interface ClipsOutput {
  readonly write: (text: string) => void;
  readonly writeFault: (text: string) => void;
  /** Whether faults are seen in a terminal, so that progress may be shown there, too. */
  readonly isTerminal: boolean;
}

interface Work {
  readonly parts: ClipParts;
  readonly output: ClipsOutput;
  readonly bar: ProgressBar | undefined;
  readonly signal: AbortSignal;
}

/**
 * Works on the folder of the library itself, whether a server runs or not: it sees what was changed
 * when it looks there next.
 *
 * Shape: resolves with the exit status, 1 when something could not be done.
 */
export async function runClipsCommand(
  request: ClipsRequest,
  {
    config,
    dataFolder,
    native,
    output,
    signal,
  }: {
    readonly config: Config;
    readonly dataFolder: string;
    readonly native: NativeAddonResult;
    readonly output: ClipsOutput;
    readonly signal: AbortSignal;
  },
): Promise<number> {
  const bar = output.isTerminal ? new ProgressBar(output.writeFault) : undefined;
  const parts = openClips({
    settings: () => config,
    dataFolder,
    native,
    onProgress: (progress) => bar?.show(progress),
  });
  const work = { parts, output, bar, signal };
  try {
    if (request.action === 'list') return await list(request, work);
    if (request.action === 'remove') return await remove(request.names, work);
    return await add(request, work);
  } finally {
    await parts.close();
  }
}

async function list({ json }: { readonly json: boolean }, work: Work): Promise<number> {
  const { library } = work.parts;
  return doEach([library.folder], work, async () => {
    await Promise.race([library.settled(), cancelled(work.signal)]);
    const clips = await library.list();
    work.output.write(json ? `${JSON.stringify(clips.map(jsonOfClip))}\n` : tableOf(clips));
  });
}

function remove(names: readonly string[], work: Work): Promise<number> {
  return doEach(names, work, async (name) => {
    await work.parts.library.remove(name);
    work.output.write(`${name} was removed\n`);
  });
}

function add(
  request: Extract<ClipsRequest, { readonly action: 'add' }>,
  work: Work,
): Promise<number> {
  const { parts, signal } = work;
  return doEach(request.files, work, async (file) => {
    const { name = basename(file), replace } = request;
    const cancel = () => void parts.transfers.cancel(name).catch(() => undefined);
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const clip = await parts.transfers.copy(resolve(file), { name, replace });
      work.bar?.clear();
      work.output.write(`${clip.name}: ${about(clip)}, in ${parts.library.folder}\n`);
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  });
}

/** One that fails does not keep the others from being done, the user does. */
async function doEach(
  words: readonly string[],
  { parts, output, bar, signal }: Work,
  act: (word: string) => Promise<void>,
): Promise<number> {
  let status = 0;
  for (const word of words) {
    try {
      signal.throwIfAborted();
      await act(word);
    } catch (error) {
      if (!signal.aborted && !(error instanceof ZerocastError)) throw error;
      status = 1;
      bar?.clear();
      output.writeFault(`zerocast clips: ${word}: ${faultOf(error, parts.library, signal)}\n`);
      if (signal.aborted) break;
    }
  }
  return status;
}

function cancelled(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function faultOf(error: unknown, { folder }: ClipLibrary, signal: AbortSignal): string {
  const code = error instanceof ClipError ? error.code : '';
  if (code === 'cancelled') return 'cancelled, nothing of it was kept';
  if (signal.aborted) return 'cancelled';
  if (code === 'exists') return `${messageOf(error)}: --replace puts this one in its place`;
  if (code === 'folder-fault') return `${messageOf(error)} at ${folder}`;
  return messageOf(error);
}

function tableOf(clips: readonly Clip[]): string {
  const width = Math.max(0, ...clips.map(({ name }) => name.length));
  return clips.map((clip) => `${clip.name.padEnd(width)}  ${about(clip)}\n`).join('');
}

function about({ bytes, facts }: Clip): string {
  const size = `${inMebibytes(bytes)} MiB`;
  if (!facts) return size;
  if ('fault' in facts) return `${size}, cannot be played: ${facts.fault}`;
  const { durationMs, loudnessLufs } = facts;
  const loudness = loudnessLufs === undefined ? 'silent' : `${loudnessLufs.toFixed(1)} LUFS`;
  return `${size}, ${(durationMs / 1000).toFixed(1)} s, ${loudness}`;
}
