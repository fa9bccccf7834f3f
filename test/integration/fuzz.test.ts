import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/base/errors.ts';
import { maxHellos } from '../../src/players/session.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { MessageReader, serverPolicy } from '../../src/protocol/message-reader.ts';
import {
  decodeClientInfo,
  decodeHello,
  encodeHello,
  encodeTimeRequest,
} from '../../src/protocol/messages.ts';
import { openDescriptors } from '../support/fifo.ts';
import { clientMessages, mutate } from '../support/mutations.ts';
import { Random } from '../support/random.ts';
import { helloOf, ScriptedClient } from '../support/scripted-client.ts';
import { expectUnbroken } from '../support/stream-checks.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const mutationsPerMessage = 10_000;
const workers = 64;
/** Set ZEROCAST_TEST_SEED to repeat a run that failed. */
const seed = Number(process.env.ZEROCAST_TEST_SEED ?? Date.now() % 2 ** 31);

let server: TestServer;
let healthy: ScriptedClient;
let descriptorsBefore: number;
let opened: number;

beforeEach(async () => {
  server = await TestServer.start(
    'stream.source=tone:///?name=Tone&codec=pcm&sampleformat=8000:16:1',
    // Client and server share one thread here, which must not look like a late source.
    'stream.buffer=3000',
    'stream.resync_tolerance=2000',
  );
  healthy = await ScriptedClient.greet(server.port, 'healthy');
  await healthy.untilCount(messageType.wireChunk, 10);
  descriptorsBefore = openDescriptors();
  opened = 0;
});

/** After whatever happened: the server is as it was, and every session has said why it ended. */
afterEach(async () => {
  await untilAllEnded();
  const seen = healthy.chunks.length;
  await healthy.untilCount(messageType.wireChunk, seen + 5);
  expectUnbroken(healthy);
  await until(() => openDescriptors() <= descriptorsBefore);
  expect(openDescriptors()).toBeLessThanOrEqual(descriptorsBefore);
  const ends = server.log.with('session closed');
  expect(ends).toHaveLength(opened);
  const reasons = ends.map(({ fields }) => String(fields.reason));
  expect(reasons.filter((reason) => !knownReason.test(reason))).toEqual([]);
  healthy.close();
  await server.stop();
});

/** Also those that are over before the server has accepted them. */
async function untilAllEnded(): Promise<void> {
  await until(() => server.log.with('session closed').length >= opened, 'all sessions have ended');
  await server.untilSessions(1);
}

const knownReason = new RegExp(
  [
    '^closed by the client( in the middle of a message)?$',
    '^connection failed: (read ECONNRESET|write EPIPE|write ECONNRESET)$',
    '^protocol violation: (message type \\d+ does not exist|a message of type \\d+ with \\d+ bytes)',
    '^protocol violation: a (Hello|Client Info) (is not JSON|is no JSON object|ends before)',
    `^protocol violation: more than ${maxHellos} Hellos on one connection$`,
    '^replaced by a newer connection of the same client$',
    '^asks without reading',
  ].join('|'),
);

/** A connection that counts, and never complains. */
function open(): Socket {
  opened += 1;
  const socket = connect({ host: '127.0.0.1', port: server.port, noDelay: true });
  socket.on('error', () => {});
  return socket.resume();
}

const endings = {
  close: (socket: Socket) => void socket.end().destroySoon(),
  'half-close': (socket: Socket) => void socket.end(),
  reset: (socket: Socket) => void socket.resetAndDestroy(),
} as const;

describe.each(clientMessages())('the message $name, cut short at every byte', ({ bytes }) => {
  it.each(['close', 'half-close', 'reset'] as const)('and followed by a %s', async (ending) => {
    await inParallel(bytes.length + 1, async (length) => {
      const socket = open();
      await once(socket, 'connect');
      if (length > 0) socket.write(bytes.subarray(0, length));
      endings[ending](socket);
      if (!socket.closed) await once(socket, 'close');
    });
    await untilAllEnded();
    const cut = server.log.with('in the middle of a message');
    // A reset may overtake what was sent; a silent end never does.
    if (ending !== 'reset') expect(cut).toHaveLength(bytes.length - 1);
  });
});

describe.each(clientMessages())(`mutations of $name, seed ${seed}`, ({ name, bytes }) => {
  it('neither crash the server nor reach anybody else', async () => {
    const random = new Random(seed ^ bytes.length ^ (name.length << 16));
    let left = mutationsPerMessage;
    await inParallel(workers, async () => {
      while (left > 0) {
        const mutant = new Mutant(random, name === 'ClientInfo');
        await once(mutant.socket, 'connect');
        while (left > 0 && mutant.isListenedTo && random.below(50) > 0) {
          left -= 1;
          mutant.send(mutate(bytes, random));
          if (random.below(20) === 0) await new Promise(setImmediate);
        }
        await mutant.end();
      }
    });
  });
});

/** A client that sends rubbish and knows when the server must have had enough. */
class Mutant {
  readonly socket = open();
  readonly #random: Random;
  readonly #reader: MessageReader;
  #isViolation = false;
  #hellos = 0;

  constructor(random: Random, greets: boolean) {
    this.#random = random;
    this.#reader = new MessageReader(serverPolicy, ({ type, body }) => {
      if (type === messageType.hello) {
        this.#hellos += 1;
        if (this.#hellos > maxHellos) throw new ProtocolError('many-hellos', 'too many Hellos');
        decodeHello(body);
      }
      if (type === messageType.clientInfo && this.#hellos > 0) decodeClientInfo(body);
    });
    if (greets) this.send(encodeHello(helloOf(`mutant ${opened}`), 2));
  }

  /** Whether the next byte would be the first one of a message. */
  get isListenedTo(): boolean {
    return !this.#isViolation && !this.#reader.isMidMessage && !this.socket.closed;
  }

  send(bytes: Buffer): void {
    this.socket.write(bytes);
    try {
      this.#reader.feed(bytes, 0);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#isViolation = true;
    }
  }

  /** Ends the connection in one of the ways of clients, or waits until the server does. */
  async end(): Promise<void> {
    const { socket } = this;
    const isAnswered = this.isListenedTo && this.#random.below(4) === 0;
    if (isAnswered) await this.#answer();
    if (!this.#isViolation) this.#random.pick(Object.values(endings))(socket);
    await until(() => socket.closed);
    expect(socket.closed).toBe(true);
  }

  /** Resolves when the server has answered a last question, or has closed the connection. */
  async #answer(): Promise<void> {
    const answer = once(this.socket, 'data').catch(() => {});
    this.socket.write(encodeTimeRequest(1));
    await Promise.race([answer, once(this.socket, 'close')]);
  }
}

/** Does `task` for 0 … `count` − 1, some at a time. */
async function inParallel(count: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      next += 1;
      await task(next - 1);
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, workers) }, worker));
}
