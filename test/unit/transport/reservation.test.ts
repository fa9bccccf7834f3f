import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { ModuleKind, ScriptTarget, transpile } from 'typescript';
import { expect, it } from 'vitest';
import { Reservation } from '../../../src/transport/reservation.ts';

/** Enough for two threads to meet within one operation of each other many times. */
const rounds = 100_000;
const messageWords = 8;

it('is held by one at a time', () => {
  const reservation = new Reservation();
  expect(reservation.tryHold()).toBe(true);
  expect(reservation.tryHold()).toBe(false);
  expect(reservation.tryRaise()).toBe(false);
  reservation.release();
  expect(reservation.isFree).toBe(true);
});

it('counts asynchronous writes and refuses the fan-out until all have ended', () => {
  const reservation = new Reservation();
  expect(reservation.tryRaise()).toBe(true);
  expect(reservation.tryRaise()).toBe(true);
  reservation.lower();
  expect(reservation.tryHold()).toBe(false);
  reservation.lower();
  expect(reservation.tryHold()).toBe(true);
});

it('cannot be let go by somebody who does not hold it', () => {
  const reservation = new Reservation();
  reservation.tryRaise();
  reservation.release();
  expect(reservation.isFree).toBe(false);
});

it('is the same right for everybody with the same word', () => {
  const reservation = new Reservation();
  const native = new Reservation(reservation.word);
  expect(native.tryHold()).toBe(true);
  expect(reservation.tryRaise()).toBe(false);
  native.release();
  expect(reservation.tryRaise()).toBe(true);
});

it('keeps the messages of two threads whole', async () => {
  const reservation = new Reservation();
  const socket = new Int32Array(new SharedArrayBuffer(4 * (1 + 2 * rounds * messageWords)));
  const arrived = new Int32Array(new SharedArrayBuffer(4));
  const shared = { word: reservation.word, socket, arrived, rounds, messageWords };

  await Promise.all([
    runThread('tryHold', 'release', { ...shared, first: 0 }),
    runThread('tryRaise', 'lower', { ...shared, first: rounds }),
  ]);

  expect(reservation.isFree).toBe(true);
  const messages = wholeMessages(socket);
  expect(messages.length).toBe(2 * rounds);
  expect(messages.filter((message) => message < rounds)).toEqual(numbers(0));
  expect(messages.filter((message) => message >= rounds)).toEqual(numbers(rounds));
});

/**
 * Writes messages on a thread of its own, each between `take` and `giveBack`.
 *
 * Node 20 cannot load TypeScript into a worker, so the class is transpiled here.
 */
async function runThread(take: string, giveBack: string, workerData: object): Promise<void> {
  const source = await readFile(
    new URL('../../../src/transport/reservation.ts', import.meta.url),
    'utf8',
  );
  const options = { module: ModuleKind.ESNext, target: ScriptTarget.ES2023 };
  const code = `
    import { workerData } from 'node:worker_threads';
    ${transpile(source, options)}
    const { word, socket, arrived, rounds, messageWords, first } = workerData;
    const reservation = new Reservation(word);
    const never = new Int32Array(new SharedArrayBuffer(4));

    // The socket is plain memory whose first word is the length of the rest: nothing but the
    // reservation keeps two writers apart.
    function write(message) {
      for (let i = 0; i < messageWords; i++) socket[++socket[0]] = message;
    }

    // A broken reservation may stay taken for ever, so there is an end.
    function eventually(attempt) {
      for (let pauses = 0; pauses < 3000; pauses++) {
        for (let i = 0; i < 1000; i++) if (attempt()) return;
        Atomics.wait(never, 0, 0, 1);
      }
      throw new Error('the other thread, or the reservation, is stuck');
    }

    // A thread that runs while the other one sleeps proves nothing: they set out together again
    // and again.
    function meet(round) {
      if (round % 1000 !== 0) return;
      Atomics.add(arrived, 0, 1);
      eventually(() => Atomics.load(arrived, 0) >= 2 * (round / 1000 + 1));
    }

    for (let i = 0; i < rounds; i++) {
      meet(i);
      eventually(() => reservation.${take}());
      write(first + i);
      reservation.${giveBack}();
    }
  `;
  const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
  await once(new Worker(url, { workerData }), 'exit');
}

/** The messages in their order, up to the first one that is cut. */
function wholeMessages(socket: Int32Array): number[] {
  const messages: number[] = [];
  for (let start = 1; start <= socket[0]!; start += messageWords) {
    const message = socket.subarray(start, start + messageWords);
    if (!message.every((word) => word === message[0])) break;
    messages.push(message[0]!);
  }
  return messages;
}

function numbers(first: number): number[] {
  return Array.from({ length: rounds }, (_, i) => first + i);
}
