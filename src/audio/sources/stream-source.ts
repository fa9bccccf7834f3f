import type { Socket } from 'node:net';
import type { ChildPlaces } from '../../base/children/child-places.ts';
import type { SourceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Buffering } from '../buffering.ts';
import type { Reception } from '../reception.ts';
import type { SampleFormat } from '../sample-format.ts';
import type { StreamController } from '../stream-controller.ts';
import type { StreamOptions } from '../stream-options.ts';
import type { StreamParameters } from '../stream-parameters.ts';
import type { StreamProperties } from '../stream-properties.ts';
import type { StreamUri } from '../stream-uri.ts';
import type { FileGate } from './file-gate.ts';
import type { RtpSession } from './rtp/session-description.ts';

/** What a source tells the stream that reads it. */
export interface SourceSink {
  /** The target of the last `read` is full. */
  filled(): void;
  /**
   * The run of samples is broken (end of file, writer gone, process ended), and what comes next
   * starts a new run. A producer that ended has had its last target filled up with silence before;
   * what one that was replaced has left in the target is void. The outstanding `read` stays valid
   * and starts again at the beginning of its target.
   */
  interrupted(reason: string): void;
  /** What is played and can be done now; the same again changes nothing. */
  properties(properties: StreamProperties): void;
  /** The source cannot go on for good; it has released everything it held. */
  failed(error: SourceError): void;
}

/**
 * Fills memory with PCM, on demand: the stream that owns it sets the pace, and a source that is
 * not read holds its producer back.
 */
export interface StreamSource {
  /** The format that the source really delivers, for example from a WAV header. */
  readonly format: SampleFormat;
  /** True when 24-bit samples arrive as 3 bytes each, without the 4-byte container. */
  readonly packed24: boolean;
  /** Takes the commands that its properties allow; sources that allow none lack it. */
  readonly streamController?: StreamController;
  /** Begins to wait for data; called once. Faults are told to the sink, never thrown. */
  start(sink: SourceSink): void;
  /**
   * Somebody listens, or nobody any more: told at each change, before the start, too. Sources that cost
   * nothing while they are not read lack it.
   */
  listen?(isListened: boolean): void;
  /**
   * Asks for `target` to be filled to its last byte, straight from the outside.
   *
   * Ownership: `target` belongs to the source until `filled` or `failed` is called, or `stop`
   * resolves. At most one read is outstanding; `filled` may be called before `read` returns.
   */
  read(target: Uint8Array): void;
  /**
   * Moves the whole frames that the outstanding read has gathered so far to `into`, and returns how
   * many bytes those were: called when nothing more comes, so that audio from before a pause is not
   * played after it. A cut frame stays, because the same producer may go on in the middle of it.
   * Sources that never wait for data lack it.
   */
  takePartial?(into: Uint8Array): number;
  /**
   * Goes on `frames` later, as if they had been read; never called during a read. A source that has it
   * makes its audio on demand, holds no producer back, and is not read without players.
   */
  skip?(frames: number): void;
  /**
   * Bytes that have arrived behind the target that was filled last, as far as that can be told, also
   * those in the target of the outstanding read. Sources that cannot tell lack it.
   */
  backlogBytes?(): number | undefined;
  /**
   * How much may arrive while nothing is read, at least, until the producer is held back. Of sources
   * that cannot tell, and that do not make their audio on demand, every chunk is read as soon as it may.
   */
  capacityBytes?(): number;
  /** Makes that at least `bytes`, where it can be. */
  widen?(bytes: number): void;
  /** Sources that do not buffer ahead of what is read lack it. */
  readonly buffering?: Buffering;
  /** What has come by the network; sources that receive no packets lack it. */
  readonly reception?: Reception;
  /** How often a device lost audio that was not fetched in time; others, and programs, lack it. */
  readonly overruns?: number | undefined;
  /** Releases everything (descriptors, children, timers); resolves when that is done. */
  stop(): Promise<void>;
}

/** What the kernel keeps of a socket or pipe until it is read. */
export interface InputQueue {
  /** `undefined` when it cannot be told. */
  unreadBytes(socket: Socket): number | undefined;
  /** Reads what is there; the end and faults are left to the socket. Returns how many bytes that was. */
  read(socket: Socket, target: Uint8Array): number;
  /** Makes it keep no more than about `bytes`, where it can; returns how much that is, 0 when unknown. */
  limit(socket: Socket, bytes: number): number;
  /** Makes it keep at least `bytes`, where it can; returns how much that is, 0 when unknown. */
  widen(socket: Socket, bytes: number): number;
}

/** Keeps the cover of what one stream plays for controllers. */
export interface CoverKeeper {
  /** In place of the one before; returns its address, or `undefined` when it is too large. */
  keep(cover: { readonly bytes: Buffer; readonly extension: string }): string | undefined;
  forget(): void;
}

/** What the sources of all streams share. */
export interface SourceSurroundings {
  /** Absent: the system does not tell. */
  readonly inputQueue?: InputQueue | undefined;
  /** Sees to it that a TCP connection ends when its peer has vanished. */
  readonly watchPeer?: (socket: Socket) => void;
  /** Absent: as many programs as one likes. */
  readonly children?: ChildPlaces;
  /** Absent: any file and fifo that the server may open. */
  readonly fileGate?: FileGate;
  /** Whether hosts of the networks of this machine may be asked. Absent: yes. */
  readonly allowsPrivateHosts?: () => boolean;
  /** Where the file of a clip lies, by its name. Absent: there is no library. */
  readonly findClip?: (name: string) => Promise<string>;
  /** Absent: covers are shown nowhere. */
  readonly coverKeeper?: (streamId: string) => CoverKeeper;
}

/** What a source needs to know of the options of its stream. */
export interface SourceContext
  extends SourceSurroundings,
    Pick<
      StreamOptions,
      | 'uri'
      | 'format'
      | 'formatIsExplicit'
      | 'packed24'
      | 'chunkMs'
      | 'bufferMs'
      | 'resyncToleranceMs'
      | 'sendSilence'
    > {
  readonly logger: Logger;
  /** What `findClip` has found. */
  readonly clipFile?: string | undefined;
  /** What the description says that `sdp` names. */
  readonly session?: RtpSession | undefined;
}

/** Checks the address and builds the source; throws a `SourceError` that says how to fix it. */
export type SourceFactory = (context: SourceContext) => StreamSource;

/** The same where that takes a while. */
export type OpenSource = (context: SourceContext) => StreamSource | Promise<StreamSource>;

/** The parameters of the address; what is not right in them goes to the log. */
export function parametersOf({ uri, logger }: SourceContext): StreamParameters {
  return { uri, warn: (reason) => warnOfAddress(logger, uri, reason) };
}

export function warnOfAddress(logger: Logger, { query }: StreamUri, reason: string): void {
  logger.warn('stream address is not as it should be', { stream: query.name, reason });
}
