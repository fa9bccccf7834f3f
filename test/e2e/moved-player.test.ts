import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { firstAudibleFrame } from '../support/pcm-compare.ts';
import { ServerProcess } from '../support/server-process.ts';
import { Snapclient, snapclientIsMissing } from '../support/snapclient.ts';

const format = SampleFormat.parse('48000:16:2');

/** Runs a program on a machine that seems to have been started so much earlier. */
function withClock(aheadSeconds: number): readonly string[] {
  const clock = ['--time', '--fork', '--kill-child=SIGTERM', '--monotonic', String(aheadSeconds)];
  return ['unshare', ...clock];
}

const hasClocks = spawnSync('unshare', [...withClock(1).slice(1), 'true']).status === 0;

/** An address that leads to one server, and then to another one. */
class MovingAddress {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: number;

  static async open(target: number): Promise<MovingAddress> {
    const address = new MovingAddress(target);
    address.#server.listen(0, '127.0.0.1');
    await once(address.#server, 'listening');
    return address;
  }

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => {
      const server = connect(this.#target, '127.0.0.1');
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        socket.setNoDelay();
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#sockets.delete(socket);
          client.destroy();
          server.destroy();
        });
      }
      client.pipe(server).pipe(client);
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  /** Cuts all connections: the next ones lead there. */
  moveTo(target: number): void {
    this.#target = target;
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

it.skipIf(snapclientIsMissing || !hasClocks)(
  'a real client that is moved from one edge to another plays on, by the same time',
  async () => {
    const origin = await ServerProcess.start({ sources: ['tone:///?name=default&codec=pcm'] });
    onTestFinished(() => origin.kill());
    const startEdge = async (name: string, aheadSeconds: number) => {
      const edge = await ServerProcess.start({
        sources: [],
        options: [`--edge.origin=snap://127.0.0.1:${origin.streamPort}`, `--edge.name=${name}`],
        node: [...withClock(aheadSeconds), process.execPath],
      });
      onTestFinished(() => edge.kill());
      return edge;
    };
    const [one, two] = [await startEdge('one', 3600), await startEdge('two', 7200)];
    const address = await MovingAddress.open(one.streamPort);
    onTestFinished(() => address.close());
    const client = await Snapclient.start({ port: address.port, hostId: 'mover' });
    onTestFinished(() => client.kill());
    await client.heardSound();
    await setTimeout(3000);
    // Its recording begins anew with the header of the other one.
    const movedMs = Date.now();
    address.moveTo(two.streamPort);
    await two.log.waitFor(/Hello from mover/);
    await setTimeout(6000);
    const { pcm, heardAtMs, log } = await client.stop(format);
    expect(log.match(/Connected to/g)).toHaveLength(2);
    const first = firstAudibleFrame(pcm, format)!;
    const silentMs = heardAtMs(first) - movedMs;
    // A second until it connects again, by its own rule; with another time it were fifty.
    expect(silentMs).toBeLessThan(2500);
    expect(audibleShare(pcm.subarray(first * format.frameBytes))).toBeGreaterThan(0.98);
    await origin.stop();
  },
);

/** A tone is silent only in single samples. */
function audibleShare(pcm: Buffer): number {
  const windowBytes = format.framesIn(5) * format.frameBytes;
  let [windows, audible] = [0, 0];
  for (let at = 0; at + windowBytes <= pcm.length; at += windowBytes) {
    windows += 1;
    if (pcm.subarray(at, at + windowBytes).some((byte) => byte !== 0)) audible += 1;
  }
  return windows === 0 ? 0 : audible / windows;
}
