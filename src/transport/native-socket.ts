import { getSystemErrorName } from 'node:util';
import { type NativeFanOutAddon, nativeCounters } from '../base/native/native-addon.ts';
import { failureOf } from '../base/net/connection-failure.ts';
import type { Connection, DirectInput, DirectSocket } from './connection.ts';
import type { SendStatistics } from './send-statistics.ts';

/** What the addon tells of a player: the rows of `PlayerEventKind` in native/core/player-reader.hpp. */
const playerEvent = { messages: 0, cut: 1, ended: 2, readFailed: 3, writeFailed: 4 } as const;

/** What the addon tells of a player: one of `playerEvent`, with what belongs to it. */
interface PlayerEvent {
  readonly kind: number;
  readonly error: number;
  readonly receivedUs: number;
  readonly bytes: Buffer;
}

interface NativeSocketContext {
  readonly native: NativeFanOutAddon;
  /** Those that the addon reads, by number. */
  readonly readSockets: Map<number, NativeSocket>;
  /** Where the addon puts its counters. */
  readonly counters: Float64Array;
  /** Told after a socket was removed: `lingering` closed sockets still have chunks in flight. */
  readonly onRemoved: (lingering: number) => void;
  /** Told when the system has no descriptor to spare: Node's writes carry the audio then. */
  readonly onShortage: (error: number) => void;
}

/** The native half of a path: one socket of the addon, which has a descriptor of its own. */
export class NativeSocket implements DirectSocket {
  /** The number by which the addon knows it. */
  readonly id: number;
  readonly isZeroCopy: boolean;
  readonly #context: NativeSocketContext;
  #input: DirectInput | undefined;
  /** What it was at the end. */
  #lastAnsweredUs: number | undefined;

  /** `undefined` when the connection has no descriptor, or the system has none to spare. */
  static open(connection: Connection, context: NativeSocketContext): NativeSocket | undefined {
    const { descriptor, framing, reservation } = connection;
    if (descriptor < 0) return undefined;
    const id = context.native.add(descriptor, reservation.word, framing === 'websocket');
    if (id >= 0) return new NativeSocket(id, context);
    context.onShortage(-id);
    return undefined;
  }

  private constructor(id: number, context: NativeSocketContext) {
    this.id = id;
    this.isZeroCopy = context.native.isZeroCopy(id);
    this.#context = context;
  }

  /** Moves what was counted into `statistics`; the counters begin again at 0. */
  takeStatistics(statistics: SendStatistics): void {
    const { native, counters } = this.#context;
    if (!native.takeCounters(this.id)) return;
    for (const [index, name] of nativeCounters.entries()) statistics[name] = counters[index] ?? 0;
  }

  write(message: Buffer): number {
    return this.#context.native.write(this.id, message);
  }

  read(input: DirectInput, answers: boolean): boolean {
    const { native, readSockets } = this.#context;
    if (native.readPlayer(this.id, answers) < 0) return false;
    this.#input = input;
    readSockets.set(this.id, this);
    return true;
  }

  stopAnswering(): void {
    this.#context.native.answerPlayer(this.id, false);
  }

  get answeredUs(): number {
    return this.#lastAnsweredUs ?? this.#context.native.answeredUs(this.id);
  }

  get askedUs(): number {
    return this.#context.native.askedUs(this.id);
  }

  /** Takes what the addon tells of the player. */
  take({ kind, error, receivedUs, bytes }: PlayerEvent): void {
    const input = this.#input;
    switch (kind) {
      case playerEvent.messages:
        input?.received(bytes, receivedUs);
        break;
      case playerEvent.cut:
        input?.cut(bytes);
        break;
      case playerEvent.ended:
        input?.ended();
        break;
      default: {
        const syscall = kind === playerEvent.readFailed ? 'read' : 'write';
        input?.failed(failureOf({ code: getSystemErrorName(-error), syscall }));
      }
    }
  }

  remove(): void {
    const { native, readSockets, onRemoved } = this.#context;
    this.#lastAnsweredUs = this.answeredUs;
    readSockets.delete(this.id);
    onRemoved(native.remove(this.id));
  }
}
