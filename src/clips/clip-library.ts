import { type FileHandle, rename, rm } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { SampleFormat } from '../audio/sample-format.ts';
import { rawEndings } from '../audio/sources/clip-source.ts';
import type { Dsp } from '../dsp/dsp.ts';
import type { ClipAudio } from './clip-audio.ts';
import type { ClipDecoder } from './clip-decoder.ts';
import { ClipError } from './clip-error.ts';
import { type Clip, type ClipFacts, faultFacts, soundOf } from './clip-facts.ts';
import { ClipFolder, readAll } from './clip-folder.ts';
import { clipName } from './clip-name.ts';
import type { FileCopier } from './file-copier.ts';
import { translated } from './folder-fault.ts';
import { IncomingClip } from './incoming-clip.ts';
import { existing, IncomingFile, type LockFile, linkAs, sweepIncoming } from './incoming-file.ts';
import { KeptFacts } from './kept-facts.ts';
import { TurnQueue } from './turn-queue.ts';

/** Larger clips are kept, and not decoded: all of a file is read for that. */
export const maxDecodedFileBytes = 64 * 1024 * 1024;
/** Faults of clips that cannot be played in any way. */
const unplayable: readonly string[] = ['bad-clip', 'decoder-missing'];
/** Clips that come in at one time. */
const maxIncoming = 8;
/** Changes of the library that wait for each other. */
const maxWaitingChanges = 64;
/** Clips that are in memory at one time to be decoded, and others that wait for that. */
const maxDecodings = 4;
const maxWaitingDecodings = 64;

interface ClipLibrarySettings {
  readonly maxClipBytes: number;
  readonly maxClips: number;
  readonly maxTotalBytes: number;
  /** Longer clips are refused when they are opened. */
  readonly maxSeconds: number;
  /** Of files without a header. */
  readonly rawFormat: SampleFormat;
}

interface AddOptions {
  /** Takes the place of a clip of the same name; otherwise that is an error. */
  readonly replace?: boolean | undefined;
}

interface ClipLibraryOptions {
  /** Absent: there is no library, it is empty. */
  readonly folder: string | undefined;
  readonly decoder: ClipDecoder;
  readonly copier: FileCopier;
  readonly dsp: () => Promise<Dsp>;
  readonly lockFile: LockFile;
  readonly settings: () => ClipLibrarySettings;
  /** Something in the list is different now. */
  readonly onChange?: () => void;
}

/**
 * The sounds in one folder, by the names of their files; nothing is kept open, and what other
 * programs do to the folder is seen at once.
 *
 * Failure: all methods reject with a `ClipError` that may be shown to a controller, or by the reason
 * of a signal.
 */
export class ClipLibrary {
  readonly #options: ClipLibraryOptions;
  readonly #decoder: ClipDecoder;
  readonly #settings: () => ClipLibrarySettings;
  readonly #files: ClipFolder;
  readonly #facts: KeptFacts;
  /** What changes the folder is done one after the other, so that limits and names hold. */
  readonly #changes = new TurnQueue({ maxRunning: 1, maxWaiting: maxWaitingChanges });
  readonly #decodings = new TurnQueue({
    maxRunning: maxDecodings,
    maxWaiting: maxWaitingDecodings,
  });
  readonly #incoming = new Set<IncomingClip>();
  /** Clips that are about to come in. */
  #beginnings = 0;
  #sweeping: Promise<void> | undefined;
  #looking: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: ClipLibraryOptions) {
    this.#options = options;
    this.#decoder = options.decoder;
    this.#settings = options.settings;
    this.#files = new ClipFolder(options.folder);
    this.#facts = new KeptFacts(this.#files);
  }

  /** Failure: throws a `ClipError` when there is none. */
  get folder(): string {
    return this.#files.path;
  }

  get limits(): ClipLibrarySettings {
    return this.#settings();
  }

  /** In the order of their names. What was not looked at yet is from now on; `settled` waits for it. */
  async list(): Promise<readonly Clip[]> {
    await this.#sweep();
    const clips: Clip[] = [];
    for (const { path: _, ...clip } of await this.#files.list()) {
      clips.push({ ...clip, facts: await this.#facts.of(clip) });
    }
    this.#facts.forgetOthers(namesOf(clips));
    if (clips.some(({ facts }) => !facts)) this.#lookSoon();
    return clips;
  }

  /** Resolves when all clips that are there have been looked at, as far as they can be read. */
  async settled(): Promise<void> {
    await this.list();
    await this.#looking;
  }

  /** One clip, which is looked at first if that is necessary. */
  async get(name: string): Promise<Clip> {
    const { path: _, ...clip } = await this.#files.find(clipName(name));
    return { ...clip, facts: (await this.#facts.of(clip)) ?? (await this.#look(clip)) };
  }

  /** The sound of a clip. */
  async open(
    name: string,
    options: { readonly maxSeconds?: number; readonly signal?: AbortSignal } = {},
  ): Promise<ClipAudio> {
    const file = await this.openFile(name);
    try {
      return await this.#decode(file, name, options);
    } finally {
      await file.close();
    }
  }

  /** Where the file of a clip lies that can be played over and over, be it ever so long. */
  async findPlayable(name: string): Promise<string> {
    const { facts } = await this.get(name);
    if (facts && 'fault' in facts && unplayable.includes(facts.code)) {
      throw new ClipError(facts.code, facts.fault);
    }
    return (await this.#files.find(clipName(name))).path;
  }

  /**
   * The file of a clip: never what a link leads to, nor what would make us wait.
   *
   * Ownership: the caller closes it.
   */
  async openFile(name: string): Promise<FileHandle> {
    return this.#files.open(clipName(name));
  }

  /**
   * Begins to take a new clip, of so many bytes if that is known.
   *
   * Ownership: the caller in the end calls `discard`, also after `finish`.
   */
  async begin(
    name: string,
    options: AddOptions & { readonly bytes?: number } = {},
  ): Promise<IncomingClip> {
    const clip = clipName(name);
    if (this.#isClosed) throw closing();
    if (this.#incoming.size + this.#beginnings >= maxIncoming) {
      throw new ClipError('busy', `${maxIncoming} clips come in already: try again later`);
    }
    this.#beginnings += 1;
    try {
      return await this.#begin(clip, options);
    } finally {
      this.#beginnings -= 1;
    }
  }

  /** Copies an open file into the library, by the cheapest way that there is. */
  async copyIn(
    from: FileHandle,
    name: string,
    options: AddOptions & Parameters<FileCopier['copy']>[2] = {},
  ): Promise<Clip> {
    const { size } = await from.stat();
    const incoming = await this.begin(name, { ...options, bytes: size });
    try {
      await translated(() => this.#options.copier.copy(from, incoming.file, options));
      return await incoming.finish(options.signal);
    } finally {
      await incoming.discard();
    }
  }

  async rename(name: string, newName: string): Promise<Clip> {
    const wanted = clipName(newName);
    return this.#change(async () => {
      const old = clipName(name);
      const { path } = await this.#files.find(old);
      const isOther = wanted !== old;
      if (isOther && (await this.#files.find(wanted).catch(() => undefined)))
        throw existing(wanted);
      const newPath = join(this.folder, wanted);
      await translated(async () => {
        if (!isOther) return rename(path, newPath);
        await linkAs(path, newPath, wanted);
        await rm(path, { force: true });
      });
      await this.#facts.move(old, wanted);
      const { path: _, ...clip } = await this.#files.find(wanted);
      return { ...clip, facts: await this.#facts.of(clip) };
    });
  }

  async remove(name: string): Promise<void> {
    await this.#change(async () => {
      const clip = await this.#files.find(clipName(name));
      await translated(() => rm(clip.path));
      await this.#facts.remove(clip.name);
    });
  }

  /** Gives up what comes in. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const incoming of [...this.#incoming]) await incoming.discard();
    await this.#changes.idle();
    await this.#looking;
  }

  async #begin(
    clip: string,
    { bytes = 0, replace = false }: AddOptions & { readonly bytes?: number },
  ): Promise<IncomingClip> {
    if (!replace && (await this.#files.find(clip).catch(() => undefined))) throw existing(clip);
    await this.#checkRoom(clip, bytes);
    await this.#sweep();
    const file = await translated(() => IncomingFile.create(this.folder, this.#options.lockFile));
    const incoming = new IncomingClip(file, {
      checkRoom: (clipBytes, moreBytes) => this.#checkIncoming(clipBytes, moreBytes),
      finish: (signal) => this.#finish(clip, { file, replace, signal }),
      onGone: () => void this.#incoming.delete(incoming),
    });
    this.#incoming.add(incoming);
    return incoming;
  }

  async #change<T>(change: () => Promise<T>): Promise<T> {
    const pass = await this.#changes.take();
    try {
      if (this.#isClosed) throw closing();
      await this.#sweep();
      const result = await change();
      this.#options.onChange?.();
      return result;
    } finally {
      pass();
    }
  }

  /** A file that is no sound does not come in; one that cannot be decoded here and now does. */
  async #finish(
    name: string,
    {
      file,
      replace,
      signal,
    }: {
      readonly file: IncomingFile;
      readonly replace: boolean;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<Clip> {
    const { size: bytes } = await file.file.stat();
    const facts = await this.#factsOf(file.file, name, signal);
    if ('fault' in facts && facts.code === 'bad-clip') throw new ClipError(facts.code, facts.fault);
    return this.#change(async () => {
      signal?.throwIfAborted();
      await this.#checkRoom(name, bytes);
      const old = await this.#files.find(name).catch(() => undefined);
      await translated(() => file.appear(name, { replace }));
      // One whose letters were put together in another way.
      if (old && old.path !== join(this.folder, name)) await rm(old.path).catch(() => undefined);
      const { path: _, ...clip } = await this.#files.find(name);
      await this.#facts.keep(clip, facts);
      return { ...clip, facts };
    });
  }

  /** Failure: rejects when a clip of so many bytes, beside all others, would be too much. */
  async #checkRoom(name: string, bytes: number): Promise<void> {
    const { maxClipBytes, maxClips, maxTotalBytes } = this.#settings();
    if (bytes > maxClipBytes) throw tooLarge(bytes, maxClipBytes);
    const others = (await this.#files.list()).filter((file) => file.name !== name);
    if (others.length + 1 > maxClips) {
      throw new ClipError(
        'library-full',
        `${maxClips} clips are there already, which is the limit`,
      );
    }
    const totalBytes = others.reduce((sum, file) => sum + file.bytes, bytes);
    if (totalBytes > maxTotalBytes) throw full(maxTotalBytes);
  }

  /** While clips come in no more than all of the library may lie on the disk beside it. */
  #checkIncoming(clipBytes: number, moreBytes: number): void {
    const { maxClipBytes, maxTotalBytes } = this.#settings();
    if (clipBytes > maxClipBytes) throw tooLarge(clipBytes, maxClipBytes);
    let bytes = moreBytes;
    for (const incoming of this.#incoming) bytes += incoming.bytes;
    if (bytes > maxTotalBytes) throw full(maxTotalBytes);
  }

  async #decode(
    file: FileHandle,
    name: string,
    options: {
      readonly maxSeconds?: number | undefined;
      readonly signal?: AbortSignal | undefined;
    } = {},
  ): Promise<ClipAudio> {
    const { maxSeconds, rawFormat } = this.#settings();
    const { size } = await file.stat();
    if (size > maxDecodedFileBytes) throw tooLarge(size, maxDecodedFileBytes);
    const isRaw = rawEndings.includes(extname(name).toLowerCase());
    const pass = await this.#decodings.take(options.signal);
    try {
      return await this.#decoder.decode(await readAll(file, size), {
        maxSeconds: options.maxSeconds ?? maxSeconds,
        signal: options.signal,
        ...(isRaw && { rawFormat }),
      });
    } finally {
      pass();
    }
  }

  async #factsOf(file: FileHandle, name: string, signal?: AbortSignal): Promise<ClipFacts> {
    try {
      return await soundOf(await this.#decode(file, name, { signal }), await this.#options.dsp());
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof ClipError) return faultFacts(error);
      throw error;
    }
  }

  async #look(clip: Clip): Promise<ClipFacts> {
    const file = await this.openFile(clip.name);
    try {
      const facts = await this.#factsOf(file, clip.name);
      await this.#facts.keep(clip, facts);
      return facts;
    } finally {
      await file.close();
    }
  }

  /** One after the other, as decoding takes a processor. */
  #lookSoon(): void {
    this.#looking ??= this.#lookAtAll().finally(() => (this.#looking = undefined));
  }

  async #lookAtAll(): Promise<void> {
    for (const clip of await this.#files.list()) {
      if (this.#isClosed) return;
      if (await this.#facts.of(clip)) continue;
      // It may be gone by now.
      await this.#look(clip).catch(() => undefined);
    }
    this.#options.onChange?.();
  }

  /** Once, before this process changes something. */
  #sweep(): Promise<void> {
    this.#sweeping ??= this.#sweepAll();
    return this.#sweeping;
  }

  async #sweepAll(): Promise<void> {
    if (this.#options.folder === undefined) return;
    await sweepIncoming(this.folder, this.#options.lockFile);
    await this.#facts.sweep(namesOf(await this.#files.list()));
  }
}

function namesOf(clips: readonly { readonly name: string }[]): ReadonlySet<string> {
  return new Set(clips.map(({ name }) => name));
}

function tooLarge(bytes: number, maxBytes: number): ClipError {
  return new ClipError('clip-too-large', `it has ${bytes} bytes; allowed: ${maxBytes}`);
}

function full(maxBytes: number): ClipError {
  return new ClipError('library-full', `all clips together may have ${maxBytes} bytes`);
}

function closing(): ClipError {
  return new ClipError('closing', 'the server ends');
}
