import { type Server, Socket } from 'node:net';
import { constants } from 'node:os';
import type { NativeAcceptor, NativeAddon } from '../base/native/native-addon.ts';
import { descriptorOf } from '../base/net/adopt-socket.ts';

/** Those that are in already must have their turn as well. */
const maxPerTurn = 64;
const maxTurnMs = 2;
/** One that cannot even be ended goes on waiting: to try again at once would only spin. */
const pauseMs = 100;

/**
 * Accepts for a server many connections per turn of the event loop, of which Node takes one: in a
 * crowd each would wait for all that those before it have to say.
 */
export class BatchAcceptor {
  readonly #server: Server;
  readonly #native: NativeAcceptor;
  readonly #onError: (error: number) => void;
  #resumeTimer: NodeJS.Timeout | undefined;

  /**
   * `onError` is told why a connection could not be accepted, as often as that is tried.
   *
   * Ownership: `server` listens and is closed; it hears of each connection by its event.
   * Failure: throws when the system has no descriptor to spare; the server is as it was.
   */
  constructor(
    server: Server,
    Acceptor: NonNullable<NativeAddon['Acceptor']>,
    onError: (error: number) => void,
  ) {
    this.#native = new Acceptor(descriptorOf(server), () => this.#acceptWaiting());
    this.#server = server;
    this.#onError = onError;
    server.close();
  }

  /** Connections that exist are not touched. */
  close(): void {
    clearTimeout(this.#resumeTimer);
    this.#native.close();
  }

  #acceptWaiting(): void {
    const endMs = performance.now() + maxTurnMs;
    for (let count = 0; count < maxPerTurn && performance.now() < endMs; count += 1) {
      const accepted = this.#native.accept();
      if (accepted >= 0) this.#serve(accepted);
      else if (accepted === -constants.errno.EAGAIN) return;
      else {
        this.#pause(-accepted);
        return;
      }
    }
  }

  #serve(fd: number): void {
    // As with `pauseOnConnect`: whoever takes it over begins to read.
    const options = { fd, readable: true, writable: true, pauseOnCreate: true };
    this.#server.emit('connection', new Socket(options));
  }

  #pause(error: number): void {
    this.#native.watch(false);
    this.#resumeTimer = setTimeout(() => this.#native.watch(true), pauseMs);
    this.#onError(error);
  }
}
