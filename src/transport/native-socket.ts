import { type NativeFanOutAddon, nativeCounters } from '../base/native/native-addon.ts';
import type { Connection, DirectWriter } from './connection.ts';
import type { SendStatistics } from './send-statistics.ts';

interface NativeSocketContext {
  readonly native: NativeFanOutAddon;
  /** Where the addon puts its counters. */
  readonly counters: Float64Array;
  /** Told after a socket was removed: `lingering` closed sockets still have chunks in flight. */
  readonly onRemoved: (lingering: number) => void;
  /** Told when the system has no descriptor to spare: Node's writes carry the audio then. */
  readonly onShortage: (error: number) => void;
}

/** The native half of a path: one socket of the addon, which has a descriptor of its own. */
export class NativeSocket implements DirectWriter {
  /** The number by which the addon knows it. */
  readonly id: number;
  readonly isZeroCopy: boolean;
  readonly #context: NativeSocketContext;

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

  remove(): void {
    const { native, onRemoved } = this.#context;
    onRemoved(native.remove(this.id));
  }
}
