import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ChunkPool } from '../../../../src/audio/chunk-pool.ts';
import {
  createFlacEncoder,
  flacLibraryInUse,
  openFlacStream,
} from '../../../../src/audio/encoders/flac-encoder.ts';
import { FlacThread } from '../../../../src/audio/encoders/flac-thread.ts';
import { LibflacjsStream } from '../../../../src/audio/encoders/libflacjs.ts';
import { SampleFormat } from '../../../../src/audio/sample-format.ts';
import {
  loadNativeAddon,
  type NativeAddon,
  type NativeAddonResult,
} from '../../../../src/base/native/native-addon.ts';
import { openSystemLibflac } from '../../../support/flac-libraries.ts';

const addonFile = fileURLToPath(
  new URL('../../../../build/Release/zerocast.node', import.meta.url),
);
const names = ['libFLAC.so.14', 'libFLAC.so.12', 'libFLAC.so.8'] as const;

/** The file from which this process has its libFLAC. */
function realLibrary(): string {
  const native = loadNativeAddon({});
  expect(flacLibraryInUse(native).reason).toBeUndefined();
  const [path] = /\/\S*\/libFLAC\.so\S*/.exec(readFileSync('/proc/self/maps', 'utf8')) ?? [];
  if (path === undefined) throw new Error('libFLAC is not loaded');
  return path;
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'zerocast-libflac-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** What the addon finds in a process that looks into `folder` first. */
function foundBehind(folder: string): unknown {
  const program = `console.log(JSON.stringify(require(${JSON.stringify(addonFile)}).findLibflac()))`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--eval', program], {
    encoding: 'utf8',
    env: { ...process.env, LD_LIBRARY_PATH: folder },
  });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

/** A shared library with one function. */
function buildLibrary(file: string, code: string): void {
  const { status, stderr, error } = spawnSync(
    process.env.CC ?? 'cc',
    ['-shared', '-fPIC', '-x', 'c', '-', '-o', file],
    { input: code, encoding: 'utf8' },
  );
  if (error) throw new Error('this test needs a C compiler', { cause: error });
  expect(stderr).toBe('');
  expect(status).toBe(0);
}

describe("the search for the system's libFLAC", () => {
  it('takes the newest version that is there', () => {
    const folder = temporaryFolder();
    const real = realLibrary();
    // What stands in front of the real ones is no library.
    for (const name of names) writeFileSync(join(folder, name), 'no library');
    for (const name of [...names].reverse()) {
      rmSync(join(folder, name));
      if (name === 'libFLAC.so.12') symlinkSync(real, join(folder, name));
      else copyFileSync(real, join(folder, name));
      expect(foundBehind(folder)).toEqual({ version: expect.stringMatching(/^1\./), file: name });
    }
  });

  it('names each file that is no library, in one sentence', () => {
    const folder = temporaryFolder();
    for (const name of names) writeFileSync(join(folder, name), 'no library');
    expect(foundBehind(folder)).toEqual({
      reason: expect.stringMatching(
        /^\/\S+\/libFLAC\.so\.14: \S.*; \/\S+\.so\.12: \S.*; \/\S+\.so\.8: \S[^;]*$/,
      ),
    });
  });

  it('names what a library lacks, and goes on to the next', () => {
    const folder = temporaryFolder();
    const functions = 'void *FLAC__stream_encoder_new(void) { return 0; }';
    for (const name of names) buildLibrary(join(folder, name), functions);
    const lacks = names.map((name) => `${name} has no FLAC__stream_encoder_delete`);
    expect(foundBehind(folder)).toEqual({ reason: lacks.join('; ') });
    rmSync(join(folder, 'libFLAC.so.8'));
    copyFileSync(realLibrary(), join(folder, 'libFLAC.so.8'));
    expect(foundBehind(folder)).toMatchObject({ file: 'libFLAC.so.8' });
  });

  it('loads nothing from the folder in which the server was started', () => {
    const folder = temporaryFolder();
    const text = 'no library';
    for (const name of names) writeFileSync(join(folder, name), text);
    const program = `console.log(JSON.stringify(require(${JSON.stringify(addonFile)}).findLibflac()))`;
    const options = { encoding: 'utf8', cwd: folder } as const;
    const { stdout } = spawnSync(process.execPath, ['--eval', program], options);
    expect(JSON.parse(stdout)).toMatchObject({ version: expect.stringMatching(/^1\./) });
  });
});

describe('what encodes flac', () => {
  const native = loadNativeAddon({});
  const settings = { format: SampleFormat.parse('48000:16:2'), level: 2, blockFrames: 1152 };

  /** The addon with another answer of the search. */
  function addonThat(findLibflac: NativeAddon['findLibflac']): NativeAddonResult {
    if ('reason' in native) throw new Error(native.reason);
    const { findLibflac: _, ...rest } = native.addon;
    return { addon: { ...rest, ...(findLibflac && { findLibflac }) } };
  }

  it("is the system's library where it is installed", async () => {
    expect(flacLibraryInUse(native)).toEqual({
      name: expect.stringMatching(/^libFLAC 1\.\S+ of the system \(libFLAC\.so\.\d+\)$/),
    });
    const stream = await openFlacStream(native, settings);
    expect(stream).not.toBeInstanceOf(LibflacjsStream);
    stream.close();
  });

  it.each([
    [/^it is not installed$/, addonThat(() => ({ reason: 'it is not installed' }))],
    [/cannot load it on this system/, addonThat(undefined)],
    [/addon that loads it is missing/, { reason: 'it is not built' }],
  ])('is libflacjs where %s, which is told', async (reason, without) => {
    expect(flacLibraryInUse(without)).toEqual({
      name: 'libFLAC 1.3.4 in JavaScript',
      reason: expect.stringMatching(reason),
    });
    const stream = await openFlacStream(without, settings);
    expect(stream).toBeInstanceOf(LibflacjsStream);
    stream.close();
  });

  it('is in a thread where a block of libflacjs would keep the event loop', async () => {
    const format = SampleFormat.parse('192000:24:8');
    const without = { reason: 'it is not built' };
    const dear = { format, level: 8, blockFrames: 16_384 };
    const stream = await openFlacStream(without, dear);
    expect(stream).toBeInstanceOf(FlacThread);
    stream.close();
    const cheap = await openFlacStream(without, { ...dear, level: 0, blockFrames: 256 });
    expect(cheap).toBeInstanceOf(LibflacjsStream);
    cheap.close();
  });
});

describe('the encoder of the addon', () => {
  const native = loadNativeAddon({});
  const settings = {
    rateHz: 48_000,
    channels: 2,
    bits: 16,
    level: 2,
    blockFrames: 1152,
    blocks: new Uint32Array(4),
  };

  function encoderClass() {
    if ('reason' in native || !native.addon.FlacEncoder) throw new Error('the addon is needed');
    return native.addon.FlacEncoder;
  }

  it.each([
    [undefined],
    [{ ...settings, bits: 32 }],
    [{ ...settings, channels: 0 }],
    [{ ...settings, rateHz: '48000' }],
    [{ ...settings, blockFrames: Number.NaN }],
    [{ ...settings, blocks: new Int32Array(4) }],
    [{ ...settings, blocks: undefined }],
  ])('refuses settings that make no sense: %j', (wrong) => {
    expect(() => new (encoderClass())(wrong as typeof settings)).toThrow(/FlacEncoder needs/);
  });

  it('refuses calls that would read or write beside the memory', () => {
    const encoder = new (encoderClass())(settings);
    const pcm = new Uint8Array(400);
    expect(encoder.begin()).toBe(0);
    expect(() => encoder.process(pcm, 0, 101)).toThrow(/less PCM/);
    expect(() => encoder.process(pcm, 101, 0)).toThrow(/less PCM/);
    expect(() => encoder.process(pcm, 100, 1)).toThrow(/less PCM/);
    expect(() => encoder.process(new Int16Array(8) as never, 0, 1)).toThrow(/needs PCM/);
    expect(() => encoder.take(pcm)).toThrow(/a block that waits/);
    expect(encoder.process(pcm, 0, 100)).toBe(0);
    expect(encoder.finish()).toBe(1);
    expect([...settings.blocks.subarray(0, 2)]).toEqual([expect.any(Number), 100]);
    expect(() => encoder.take(new Uint8Array(1))).toThrow(/room for it/);
    encoder.take(pcm);
    encoder.close();
    expect(() => encoder.begin()).toThrow(/closed/);
    expect(() => encoder.process(pcm, 0, 1)).toThrow(/closed/);
    expect(() => encoder.finish()).toThrow(/closed/);
    expect(() => encoder.stateText()).toThrow(/closed/);
    encoder.close();
  });

  it('refuses to tell of more blocks than there is room for', () => {
    const encoder = new (encoderClass())({ ...settings, blockFrames: 16 });
    expect(encoder.begin()).toBe(0);
    expect(() => encoder.process(new Uint8Array(4 * 100), 0, 100)).toThrow(/no room/);
    encoder.close();
  });

  it('says in one error what the library refuses', async () => {
    const format = SampleFormat.parse('48000:16:2');
    // No setting of ours leads there.
    const odd = Object.create(format, { channels: { value: 9 } }) as SampleFormat;
    const context = { format: odd, pool: new ChunkPool(), options: '' };
    await expect(createFlacEncoder(context, openSystemLibflac)).rejects.toThrow(
      /^the flac library failed: it refused .* with status \d+$/,
    );
    context.pool.close();
  });
});
