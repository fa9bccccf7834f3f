import { createRequire } from 'node:module';
import { codeOf, messageOf } from '../errors.ts';
import { packageVersion } from '../version.ts';
import { ownBuildPath, prebuiltPath } from './addon-files.ts';
import type { DspKernels } from './dsp-kernels.ts';

/** What the C++ addon offers. */
export interface NativeAddon {
  /** The version of the package that it was built from. */
  readonly version: string;
  /**
   * Gives zero-filled memory that begins at a page and shares no page with anything else.
   *
   * Ownership: the memory goes back to the system when the `ArrayBuffer` is collected.
   * Failure: throws a `TypeError` or `RangeError` unless `bytes` is a whole number from 1 to 2³⁰,
   * and an `Error` when there is no memory.
   */
  allocateSlab(bytes: number): ArrayBuffer;
  /** Gives the memory of a slab back at once; the `ArrayBuffer` is empty then. */
  releaseSlab(memory: ArrayBuffer): void;
  isPageAligned(memory: ArrayBuffer): boolean;
  /** Where the memory lies, as a number that native code takes. */
  addressOf(memory: ArrayBufferLike): number;
  /** Why the system does not send without copying, in words; empty when it does. Linux only. */
  zeroCopyRefusal?(): string;
  /**
   * Makes the kernel break a TCP connection whose peer has acknowledged nothing for so long; 0, or
   * an error number. Linux only.
   */
  setPeerTimeout?(descriptor: number, timeoutMs: number): number;
  /**
   * Writes what the kernel knows of TCP connections, a row of `tcpFacts` for each descriptor: NaN is
   * what it does not tell. Linux only.
   */
  readTcpFacts?(descriptors: Int32Array, rows: Float64Array): void;
  /** Bytes that wait in a pipe or socket, or a negative error number. Linux only. */
  unreadBytes?(descriptor: number): number;
  /**
   * Reads what waits in a pipe or socket that does not block; bytes, 0 at the end, or a negative error
   * number. Linux only.
   */
  readUnread?(descriptor: number, target: Uint8Array): number;
  /** Bounds what may wait in a pipe or socket; how many bytes that is, or a negative error number. Linux only. */
  limitUnread?(descriptor: number, bytes: number): number;
  /** Lets more wait in a pipe; how many bytes that is, or a negative error number. Linux only. */
  widenPipe?(descriptor: number, bytes: number): number;
  /** Locks an open file until it is closed; 0, or an error number. Linux only. */
  lockFile?(descriptor: number): number;
  /**
   * Lets an empty open file share the blocks of another; resolves with 0, or a negative error number.
   * Both descriptors stay open until then. Linux only.
   */
  cloneFile?(from: number, to: number): Promise<number>;
  /**
   * Copies a piece of an open file to the same place of another, by `copy_file_range` and by
   * `sendfile`; resolves with how many bytes, or a negative error number. Linux only.
   */
  copyRange?(from: number, to: number, at: number, bytes: number): Promise<number>;
  sendRange?(from: number, to: number, at: number, bytes: number): Promise<number>;
  /** Looks for the system's libasound. Linux only. */
  findLibasound?(): { readonly version: string } | { readonly reason: string };
  /**
   * Hears an ALSA device in a thread of its own, until it is stopped or the device ends. Linux only.
   *
   * Failure: throws when there is no libasound, or no thread or descriptor to spare; what is wrong with
   * the device is told by `fault`.
   */
  startAlsa?(settings: AlsaSettings): NativeCapture;
  /**
   * Opens an ALSA device and closes it again; resolves with the nearest rate that it has. Linux only.
   *
   * Failure: throws as `startAlsa`.
   */
  tryAlsa?(settings: AlsaSettings): Promise<{ readonly rateHz: number } | CaptureFault>;
  /** Why the system's libjack cannot be used; nothing where it can. Linux only. */
  findLibjack?(): string | undefined;
  /** The same for what is connected to a client of JACK, which it becomes. */
  startJack?(settings: JackSettings): NativeCapture;
  tryJack?(settings: JackSettings): Promise<{ readonly rateHz: number } | CaptureFault>;
  /** Sends a datagram to a Unix socket; 0, or an error number. Linux only. */
  sendDatagram?(path: string, text: string): number;
  /** Sends a few pages without copying to a connection of its own; takes a second at most. Linux only. */
  sendZeroCopyProbe?(): ZeroCopyProbe;
  /** Signal processing. Not on Windows. */
  readonly dsp?: DspKernels;
  /** Looks for the system's libFLAC. Not on Windows. */
  findLibflac?(): SystemLibraryResult;
  /**
   * Failure: throws an `Error` when there is no libFLAC, or no memory. Not on Windows.
   */
  readonly FlacEncoder?: new (settings: {
    readonly rateHz: number;
    readonly channels: number;
    /** 8, 16, or 24 in four bytes. */
    readonly bits: number;
    readonly level: number;
    readonly blockFrames: number;
    /** Where each call tells bytes and frames of the blocks that it has made. */
    readonly blocks: Uint32Array;
  }) => NativeFlacEncoder;
  /** Looks for the system's libvorbisenc. Not on Windows. */
  findLibvorbis?(): SystemLibraryResult;
  /** Failure: throws an `Error` when there is no libvorbisenc; so does a decoder. Not on Windows. */
  readonly VorbisEncoder?: new (settings: {
    readonly rateHz: number;
    readonly channels: number;
    /** 8, 16, 24 in four bytes, or 32. */
    readonly bits: number;
    /** -0.1 to 1 */
    readonly quality: number;
    /** Where each call tells the bytes of the packets that it has made. */
    readonly sizes: Uint32Array;
  }) => NativeVorbisEncoder;
  readonly VorbisDecoder?: new () => NativeVorbisDecoder;
  /**
   * Accepts in the place of a listening TCP socket, whose descriptor may be closed then; `onWaiting`
   * is called from the event loop while connections wait. Linux only.
   *
   * Failure: throws when the system has no descriptor to spare.
   */
  readonly Acceptor?: new (
    descriptor: number,
    onWaiting: () => void,
  ) => NativeAcceptor;
  /** Linux only. */
  readonly FanOut?: new (options: {
    readonly zeroCopy: boolean;
    readonly minBytes: number;
    readonly always: boolean;
    /** Called from the event loop when chunks have come back outside of a call. */
    readonly onReleased: () => void;
    /** Called from the event loop with what a player said; see native/core/player-reader.hpp. */
    readonly onPlayer: (
      socket: number,
      kind: number,
      error: number,
      receivedUs: number,
      bytes: Buffer,
    ) => void;
  }) => NativeFanOutAddon;
}

/** A library of the system, or why it cannot be used, in words. */
type SystemLibraryResult =
  | { readonly version: string; readonly file: string }
  | { readonly reason: string };

/** See native/core/flac-encoder.hpp. */
export interface NativeFlacEncoder {
  /** Returns the status of the library, 0 when all is well. */
  begin(): number;
  /** Returns how many blocks it has made, or -1: `stateText` then says more. */
  process(pcm: Uint8Array, startFrame: number, frames: number): number;
  /** Returns the same. */
  finish(): number;
  /** Copies the oldest block that was not taken yet. */
  take(target: Uint8Array): void;
  stateText(): string;
  close(): void;
}

/** See native/core/capture/alsa-capture.hpp. */
export interface AlsaSettings {
  /** As `arecord -D` takes it. */
  readonly device: string;
  readonly rateHz: number;
  readonly channels: number;
  /** 8, 16, 24 in four bytes, or 32. */
  readonly bits: number;
  /** 24 bit in three bytes instead. */
  readonly packed24: boolean;
  /** How much the device hears before it says so, and how much of it waits for us at most. */
  readonly periodUs: number;
  readonly bufferUs: number;
}

/** A device of this machine that is heard; see native/core/capture/capture-run.hpp. */
export interface NativeCapture {
  /**
   * The reading end of the pipe that the audio comes by. It ends when the device does and is free again.
   *
   * Ownership: the caller closes it.
   */
  readonly descriptor: number;
  /** Why it has ended; absent while it runs, and when it was stopped. */
  fault(): CaptureFault | undefined;
  /** How often audio was lost, because it was not read in time. */
  overruns(): number;
  /** Resolves when the device is free; with false when it hangs. */
  stop(): Promise<boolean>;
}

/** Why a device is not heard, or not any more. */
export interface CaptureFault {
  /** An error number; 0 where there is none. */
  readonly error: number;
  readonly reason: string;
}

/** See native/core/capture/jack-capture.hpp. */
export interface JackSettings {
  /** Of the client. */
  readonly name: string;
  /** Absent: the usual one. */
  readonly server?: string;
  readonly rateHz: number;
  readonly channels: number;
  /** 16, 24 in four bytes, or 32. */
  readonly bits: number;
  /** Which output ports are connected, an extended regular expression; absent: none. */
  readonly pattern?: string;
  readonly skippedPorts: number;
}

/** See native/core/vorbis-encoder.hpp. */
export interface NativeVorbisEncoder {
  /** Returns how many packets wait, those of the header, or the negative status of the library. */
  begin(): number;
  /** Returns how many packets it has made, or -1. */
  process(pcm: Uint8Array, startFrame: number, frames: number): number;
  /** Copies the oldest packet that was not taken yet. */
  take(target: Uint8Array): void;
  close(): void;
}

/** See native/core/vorbis-decoder.hpp. */
export interface NativeVorbisDecoder {
  /** False when the packets are no header. */
  open(identification: Uint8Array, comment: Uint8Array, setup: Uint8Array, bits: number): boolean;
  /** The PCM that the packet adds, none for the first one; `undefined` for what is no packet. */
  decode(packet: Uint8Array): Uint8Array | undefined;
  close(): void;
}

/** See native/core/acceptor.hpp. */
export interface NativeAcceptor {
  /**
   * The descriptor of the next connection, which is the caller's, or a negative error number: when
   * there is no descriptor for it, those that wait are ended.
   */
  accept(): number;
  /** Whether `onWaiting` is called, as it is at first. */
  watch(isWatching: boolean): void;
  /** Then nothing waits any more. */
  close(): void;
}

/** How far a zero-copy send came; see native/core/zero-copy-probe.hpp. */
export interface ZeroCopyProbe {
  /** The step that failed; `done` when none did. */
  readonly step: 'connect' | 'allow' | 'send' | 'complete' | 'done';
  /** The error number of that step. */
  readonly error: number;
  /** The kernel copied after all, as it always does over loopback. */
  readonly copied: boolean;
}

/** An addon that can send, too. */
export type FanOutAddon = NativeAddon & Required<Pick<NativeAddon, 'FanOut' | 'zeroCopyRefusal'>>;

/** See native/core/fan-out.hpp; the memory is that of `FanOutBuffers`. */
export interface NativeFanOutAddon {
  useBuffers(buffers: {
    readonly addresses: Float64Array;
    readonly sizes: Uint32Array;
    readonly handles: Uint32Array;
    readonly orders: Int32Array;
    readonly outcomes: Int32Array;
    readonly released: Uint32Array;
    readonly counters: Float64Array;
  }): void;
  /** The number of the new socket, or a negative error number. */
  add(descriptor: number, reservation: Int32Array, isWebSocket: boolean): number;
  isZeroCopy(socket: number): boolean;
  /** Returns how many closed sockets have chunks in flight. */
  remove(socket: number): number;
  /** Returns how many of the orders were served before the time was over. */
  deliver(chunks: number, orders: number, sliceUs: number): number;
  /** Sends a small message at once; returns the bytes taken, or a negative error number. */
  write(socket: number, message: Buffer): number;
  /** Reads a player from now on, and answers its Time requests or not; 0, or a negative error number. */
  readPlayer(socket: number, answers: boolean): number;
  answerPlayer(socket: number, answers: boolean): void;
  /** When the newest request came that was answered by the addon, microseconds; 0 before the first. */
  answeredUs(socket: number): number;
  /** What the clock of the player showed when it sent that request, microseconds. */
  askedUs(socket: number): number;
  /** Returns how many handles it has put into `released`. */
  takeReleased(): number;
  /** False when there is no such socket. */
  takeCounters(socket: number): boolean;
  /** Breaks closed sockets whose time is over; returns how many still have chunks in flight. */
  sweep(): number;
  /** Releases all chunks, only right before their memory is given back for good. */
  abandon(): void;
  close(): void;
}

/** The numbers of a row of `readTcpFacts`, in this order; see native/core/tcp-facts.hpp. */
export const tcpFacts = [
  'roundTripUs',
  'roundTripDeviationUs',
  'leastRoundTripUs',
  'queuedBytes',
  'unsentBytes',
  'retransmissions',
  'timeouts',
  'ackAgeMs',
  'deliveryBytesPerSecond',
  'receiverLimitedUs',
] as const;

/** What `takeCounters` puts into `counters`, in this order. */
export const nativeCounters = [
  'zeroCopyAttempts',
  'zeroCopySends',
  'zeroCopyBytes',
  'zeroCopyCopied',
  'regularSends',
  'regularBytes',
  'partialSends',
  'wouldBlock',
  'noBuffers',
  'coordinationFallbacks',
  'chunks',
  'outstanding',
] as const;

export function canSend(addon: NativeAddon): addon is FanOutAddon {
  return addon.FanOut !== undefined && addon.zeroCopyRefusal !== undefined;
}

export type NativeAddonResult = { readonly addon: NativeAddon } | { readonly reason: string };

const functionNames = ['allocateSlab', 'releaseSlab', 'isPageAligned', 'addressOf'] as const;

/**
 * Loads the native addon, or says in one sentence why it cannot be used.
 *
 * What was built on this machine goes before the prebuilt addon of a release, because the user who
 * built it wanted it. `ZEROCAST_NATIVE=off` in the environment switches the addon off.
 *
 * Failure: never throws; without the addon everything works by plain JavaScript.
 */
export function loadNativeAddon(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): NativeAddonResult {
  if (environment.ZEROCAST_NATIVE === 'off') {
    return { reason: 'it is switched off by ZEROCAST_NATIVE=off' };
  }
  return loadFirstOf([ownBuildPath, prebuiltPath()]);
}

/** Loads the addon of the release; the installation asks by this whether it fits the machine. */
export function loadPrebuiltAddon(): NativeAddonResult {
  return loadAddonFrom(prebuiltPath());
}

/** Loads the first file that can be used; a file that is not there is worth no words. */
export function loadFirstOf(paths: readonly string[]): NativeAddonResult {
  const reasons: string[] = [];
  for (const path of paths) {
    const result = loadAddonFrom(path);
    if ('addon' in result) return result;
    if (result.reason !== notBuilt) reasons.push(result.reason);
  }
  return { reason: reasons.join('; ') || notBuilt };
}

/** Loads one file as the addon; `path` is absolute. */
export function loadAddonFrom(path: string): NativeAddonResult {
  let loaded: unknown;
  try {
    loaded = createRequire(import.meta.url)(path);
  } catch (error) {
    return { reason: reasonOf(error) };
  }
  const missing = functionNames.find((name) => !hasFunction(loaded, name));
  if (missing) return { reason: `it was built from another version: it has no ${missing}` };
  const addon = loaded as NativeAddon;
  if (addon.version !== packageVersion) {
    const version = addon.version ?? 'an older one';
    return { reason: `it was built from another version: ${version} instead of ${packageVersion}` };
  }
  return { addon };
}

const notBuilt =
  'it is not built: run "node scripts/install-addon.mjs" to build it or to see why not';

function reasonOf(error: unknown): string {
  if (codeOf(error) === 'MODULE_NOT_FOUND') return notBuilt;
  // Only the first line: the rest of a loader's message is a stack of paths.
  return `it cannot be loaded: ${messageOf(error).split('\n')[0]}`;
}

function hasFunction(loaded: unknown, name: string): boolean {
  return (
    typeof loaded === 'object' &&
    loaded !== null &&
    typeof (loaded as Record<string, unknown>)[name] === 'function'
  );
}
