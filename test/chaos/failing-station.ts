import type { Socket } from 'node:net';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decoderProgram } from '../../src/audio/sources/decoder-arguments.ts';
import type { ControlClient } from '../support/control-client.ts';
import { encodeSound, RadioServer, radioSound } from '../support/radio-station.ts';
import { introduce } from './introduction.ts';
import { Player } from './player.ts';
import type { Server } from './server.ts';
import type { LastingPlayerOptions } from './steady-players.ts';

export const stationPath = '/live';
/** A stalled one sends nothing more, a mute one does not even answer. */
export const stationFailures = ['cut', 'stall', 'busy', 'mute'] as const;
export type StationFailure = (typeof stationFailures)[number];

const streamName = 'Radio';
const listenerId = 'radio-listener';
const bytesPerSecond = 8000;
/** What a station sends at once; the decoder wants to see some of it before it begins. */
const burstBytes = 4 * bytesPerSecond;
const periodMs = 100;
const maxQueuedBytes = 64 * 1024;
/** A server that waits a second at least between attempts cannot ask so often in that time. */
const fewRequests = 6;
const fewRequestsMs = 3000;
/** The server waits up to a minute for the next attempt, and some time for what is sent then. */
const hearLimitMs = 80_000;
/** The address has the server leave the station two seconds after the last listener. */
const leaveLimitMs = 15_000;
const decoderName = basename(decoderProgram);

/** A radio station that fails in the ways of stations, and one player that is to hear it again each time. */
export class FailingStation {
  readonly #radio: RadioServer;
  readonly #sound: Buffer;
  readonly #server: Server;
  readonly #onProblem: (text: string) => void;
  readonly #requestTimesMs: number[] = [];
  #requests = 0;
  #failure: StationFailure | undefined;
  #listener: Player | undefined;

  static async open(
    port: number,
    server: Server,
    onProblem: (text: string) => void,
  ): Promise<FailingStation> {
    const radio = await RadioServer.open(port);
    return new FailingStation(radio, server, onProblem);
  }

  private constructor(radio: RadioServer, server: Server, onProblem: (text: string) => void) {
    this.#radio = radio.on(stationPath, (socket) => this.#answer(socket));
    this.#sound = encodeSound(radioSound(20), '-f mp3 -ar 8000 -b:a 64k');
    this.#server = server;
    this.#onProblem = onProblem;
  }

  /** Resolves when its listener is known; the station is then wanted until `leave`. */
  async start(options: LastingPlayerOptions, controller: ControlClient): Promise<void> {
    await introduce(new Map([[listenerId, streamName]]), options, controller);
    const onClosed = () => {
      if (!options.isLeaving()) this.#onProblem(`player ${listenerId}: its connection was closed`);
    };
    this.#listener = new Player({ ...options, id: listenerId, isStrict: false, onClosed });
  }

  get listeners(): number {
    return this.#listener ? 1 : 0;
  }

  get requests(): number {
    return this.#requests;
  }

  get chunks(): number {
    return this.#listener?.listening.chunks ?? 0;
  }

  /** Until it is mended. */
  fail(failure: StationFailure): void {
    this.#failure = failure === 'cut' ? undefined : failure;
    if (failure === 'cut' || failure === 'busy') this.#radio.cut();
  }

  mend(): void {
    this.#failure = undefined;
  }

  /** Once the station is well it is heard, by one connection and one program. */
  async notHeard(): Promise<string[]> {
    const before = this.chunks;
    const isHeard = () =>
      this.chunks > before && this.#radio.sockets.size === 1 && this.#decoders() === 1;
    return (await this.#until(isHeard, hearLimitMs)) ? [] : [`${streamName} is not heard again`];
  }

  leave(): void {
    this.#listener?.close();
  }

  /** Nothing of it may last when nobody listens. */
  async notLeft(): Promise<string[]> {
    const isLeft = () => this.#radio.sockets.size === 0 && this.#decoders() === 0;
    return (await this.#until(isLeft, leaveLimitMs)) ? [] : [`${streamName} is not left`];
  }

  close(): void {
    this.leave();
    this.#radio.close();
  }

  async #until(holds: () => boolean, limitMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + limitMs;
    while (!holds()) {
      if (performance.now() > deadlineMs) return false;
      await sleep(100);
    }
    return true;
  }

  #decoders(): number {
    return this.#server.programs().filter((name) => name === decoderName).length;
  }

  #answer(socket: Socket): void {
    this.#count();
    if (this.#failure === 'busy') socket.end('HTTP/1.0 503 Busy\r\n\r\n');
    if (this.#failure === 'busy' || this.#failure === 'mute') return;
    socket.write('HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n');
    this.#send(socket);
  }

  #count(): void {
    this.#requests += 1;
    const nowMs = performance.now();
    this.#requestTimesMs.push(nowMs);
    if (this.#requestTimesMs.length < fewRequests) return;
    const tookMs = nowMs - this.#requestTimesMs.shift()!;
    if (tookMs >= fewRequestsMs) return;
    this.#onProblem(`${streamName}: ${fewRequests} connections in ${Math.round(tookMs)} ms`);
  }

  /** Without end, at the speed of the sound. */
  #send(socket: Socket): void {
    const startMs = performance.now();
    let sent = 0;
    const timer = setInterval(() => {
      const due = burstBytes + ((performance.now() - startMs) * bytesPerSecond) / 1000;
      if (this.#failure === 'stall' || socket.writableLength > maxQueuedBytes) return;
      while (sent < due) {
        const at = sent % this.#sound.length;
        const piece = this.#sound.subarray(at, at + Math.ceil(due - sent));
        socket.write(piece);
        sent += piece.length;
      }
    }, periodMs);
    socket.once('close', () => clearInterval(timer));
  }
}
