import { PassThrough, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { SampleFormat } from '../../../../src/audio/sample-format.ts';
import {
  type IterableInput,
  iterableSource,
} from '../../../../src/audio/sources/iterable-source.ts';
import { SourceError } from '../../../../src/base/errors.ts';
import { DirectoryRig } from '../../../support/directory-rig.ts';
import { numberedBytes } from '../../../support/pcm-fixtures.ts';
import { SourceHarness } from '../../../support/source-harness.ts';
import { turn, until } from '../../../support/waiting.ts';

const format = SampleFormat.parse('48000:16:2');
let harness: SourceHarness;

afterEach(() => harness.source.stop());

function start(input: IterableInput['input']): SourceHarness {
  harness = new SourceHarness(iterableSource({ format, input }));
  return harness.start();
}

async function turns(count = 10): Promise<void> {
  for (let index = 0; index < count; index += 1) await turn();
}

/** An iterable that counts what is asked of it, and gives what a test says. */
class CountingInput implements AsyncIterable<Uint8Array> {
  asked = 0;
  returned = 0;
  readonly #give: (index: number) => unknown;

  constructor(give: (index: number) => unknown) {
    this.#give = give;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        this.asked += 1;
        const value = (await this.#give(this.asked - 1)) as Uint8Array | undefined;
        return value ? { value } : { value, done: true };
      },
      return: async () => {
        this.returned += 1;
        return { value: undefined, done: true };
      },
    };
  }
}

describe('a source of what a program gives', () => {
  it('asks for nothing until it is read, and for no more than it needs', async () => {
    const input = new CountingInput(() => numberedBytes(1000));
    start(input);
    await turns();
    expect(input.asked).toBe(0);
    await harness.read(2500);
    await turns();
    expect(input.asked).toBe(3);
    await harness.read(500);
    await turns();
    expect(input.asked).toBe(3);
  });

  it('holds a stream back that has more than it needs', async () => {
    const input = new PassThrough({ highWaterMark: 16_384 });
    start(input);
    let written = 0;
    const write = () => {
      while (written < 1_000_000) {
        const ok = input.write(numberedBytes(1000));
        written += 1000;
        if (!ok) return;
      }
    };
    input.on('drain', write);
    write();
    await harness.read(4000);
    await delay(50);
    expect(written).toBeLessThan(100_000);
  });

  it('lets everything else run while its input has nothing again and again', async () => {
    let isGiving = false;
    const maxAsked = 100_000;
    const input = new CountingInput((index) =>
      isGiving || index === maxAsked ? numberedBytes(100) : new Uint8Array(),
    );
    start(input);
    const target = harness.ask(100);
    await delay(5);
    isGiving = true;
    await harness.whenFilled(1);
    expect(target.equals(numberedBytes(100))).toBe(true);
    expect(input.asked).toBeLessThan(maxAsked);
  });

  it('fills up the last chunk, says once that the input has ended, and is silent from then on', async () => {
    start(Readable.from([numberedBytes(1000)], { objectMode: false }));
    await harness.read(600);
    const tail = await harness.read(600);
    const expected = Buffer.concat([numberedBytes(1000).subarray(600), Buffer.alloc(200)]);
    expect(tail.equals(expected)).toBe(true);
    harness.ask(600);
    await until(() => harness.interruptions.length > 0);
    await turns();
    expect(harness.interruptions).toEqual(['the input has ended']);
    expect([harness.filledCount, harness.failures]).toEqual([2, []]);
  });

  it('gives away whole frames on demand, and nothing else', async () => {
    const pieces = [numberedBytes(1002), numberedBytes(4000).subarray(1002, 4000)];
    let proceed: (piece: Uint8Array) => void = () => undefined;
    const later = new Promise<Uint8Array>((resolve) => (proceed = resolve));
    start(new CountingInput((index) => (index === 0 ? pieces[0] : later)));
    const target = harness.ask(3000);
    await until(() => target.subarray(0, 1002).equals(numberedBytes(1002)));
    const partial = Buffer.alloc(3000);
    expect(harness.source.takePartial?.(partial)).toBe(1000);
    expect(harness.source.takePartial?.(partial)).toBe(0);
    expect(partial.subarray(0, 1000).equals(numberedBytes(1000))).toBe(true);
    proceed(pieces[1]!);
    await harness.whenFilled(1);
    expect(target.equals(numberedBytes(4000).subarray(1000))).toBe(true);
  });

  it('fails with the reason when its input breaks', async () => {
    const broken = new Readable({ read: () => undefined });
    start(broken);
    harness.ask(100);
    broken.destroy(new Error('the radio is off'));
    await until(() => harness.failures.length > 0);
    expect(harness.failures[0]).toBeInstanceOf(SourceError);
    expect(harness.failures[0]?.message).toContain('the radio is off');
    await turns();
    expect([harness.failures.length, harness.interruptions]).toEqual([1, []]);
  });

  it('survives an input that broke before anybody read it', async () => {
    const broken = new Readable({ read: () => undefined });
    harness = new SourceHarness(iterableSource({ format, input: broken }));
    broken.destroy(new Error('too early'));
    await turns();
    harness.start().ask(100);
    await until(() => harness.failures.length > 0);
    expect(harness.failures[0]?.message).toContain('too early');
  });

  it('fails when it is given something else than bytes', async () => {
    for (const value of ['text', 7, { length: 4 }, [1, 2]]) {
      const input = new CountingInput(() => value);
      start(input);
      harness.ask(100);
      await until(() => harness.failures.length > 0);
      expect(harness.failures[0]?.message).toContain('give Buffer or Uint8Array');
      expect(input.returned).toBe(1);
    }
  });

  it('fails when its input cannot be iterated over a second time', async () => {
    const once = {
      [Symbol.asyncIterator]: () => {
        throw new Error('read already');
      },
    };
    start(once);
    expect(harness.failures[0]?.message).toContain('read already');
    harness.ask(100);
    await turns();
    expect(harness.failures).toHaveLength(1);
  });
});

describe('the end of such a source', () => {
  it('destroys a stream, also one that waits for data, or was never read', async () => {
    const waiting = new PassThrough();
    start(waiting);
    const target = harness.ask(100);
    await turns();
    await harness.source.stop();
    expect(waiting.closed).toBe(true);
    const fresh = new PassThrough();
    await iterableSource({ format, input: fresh }).stop();
    expect(fresh.closed).toBe(true);
    expect(target.every((byte) => byte === 0xee)).toBe(true);
    expect([harness.failures, harness.interruptions]).toEqual([[], []]);
  });

  it('returns an iterator, and waits for its last words', async () => {
    let isTidy = false;
    const input = (async function* () {
      try {
        for (;;) yield numberedBytes(100);
      } finally {
        await delay(20);
        isTidy = true;
      }
    })();
    start(input);
    await harness.read(100);
    await Promise.all([harness.source.stop(), harness.source.stop()]);
    expect(isTidy).toBe(true);
  });

  it('does not wait for a piece that may never come, and does not take it when it does', async () => {
    let give: (piece: Uint8Array) => void = () => undefined;
    const input = new CountingInput(() => new Promise((resolve) => (give = resolve)));
    start(input);
    const target = harness.ask(100);
    await turns();
    await harness.source.stop();
    give(numberedBytes(100));
    await turns();
    expect(harness.filledCount).toBe(0);
    expect(target.every((byte) => byte === 0xee)).toBe(true);
    expect(input.returned).toBe(1);
  });

  it('does not care for an iterator that cannot end, or ends badly', async () => {
    start({
      [Symbol.asyncIterator]: () => ({ next: async () => ({ value: numberedBytes(100) }) }),
    });
    await harness.read(100);
    await harness.source.stop();
    const bad = new CountingInput(() => numberedBytes(100));
    const iterator = bad[Symbol.asyncIterator]();
    iterator.return = () => {
      throw new Error('no');
    };
    start({ [Symbol.asyncIterator]: () => iterator });
    await harness.read(100);
    await harness.source.stop();
  });
});

describe('a stream of what a program gives', () => {
  it('plays it in real time to its last frame, becomes idle, and stays there', async () => {
    const rig = new DirectoryRig();
    const audio = numberedBytes(10 * 3840 + 1000);
    const input = Readable.from([audio], { objectMode: false });
    const channel = await rig.directory.addInput({ name: 'P', input });
    channel.stream.activate();
    await until(() => rig.told.length === 2, 'the stream is idle');
    expect(channel.stream.encodeFigures.encodedChunks).toBe(11);
    expect(channel.stream.state).toBe('idle');
    expect(channel.stream.fault).toBeUndefined();
    await rig.directory.close();
    expect(rig.pool.isFull).toBe(true);
    rig.pool.close();
  });

  it('is disabled, and no other, when its input breaks', async () => {
    const rig = new DirectoryRig();
    await rig.directory.add('tone:///?name=Other');
    const input = (async function* () {
      yield numberedBytes(8000);
      throw new Error('the radio is off');
    })();
    const channel = await rig.directory.addInput({ name: 'P', input });
    await until(() => channel.stream.state === 'disabled');
    expect(channel.stream.fault?.message).toContain('the radio is off');
    const other = rig.directory.channels.get('Other');
    await expect.poll(() => other?.stream.state).toBe('playing');
    await rig.directory.close();
    expect(rig.pool.isFull).toBe(true);
    rig.pool.close();
  });
});
