import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Chunk } from '../../../src/audio/chunk.ts';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { createEncoder } from '../../../src/audio/encoders/codecs.ts';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { parseStreamOptions } from '../../../src/audio/stream-options.ts';
import type { Feed, FeedHandler } from '../../../src/edge/origin-link.ts';
import { RelayedInput } from '../../../src/edge/relayed-input.ts';
import { LogLines } from '../../support/log-lines.ts';
import { streamDefaults } from '../../support/reader-rig.ts';

const format = SampleFormat.parse('48000:16:2');
const chunkUs = 20_000;
const bytes = format.framesIn(20) * format.frameBytes;

let nowUs: number;
let pool: ChunkPool;
let published: number[];
let states: string[];
let handler: FeedHandler;
let wishes: boolean[];
let asked: string;
let outmoded: number;
let input: RelayedInput;
let header: Buffer;

const feed: Feed = { listen: (isListening) => wishes.push(isListening), close: () => undefined };

beforeEach(async () => {
  nowUs = 1e9;
  [published, states, wishes, outmoded] = [[], [], [], 0];
  pool = new ChunkPool({ verifySeals: true });
  const encoder = await createEncoder('pcm', { format, pool });
  header = Buffer.from(encoder.header);
  encoder.close();
  await open('snap://there/Radio%20one?name=Radio');
});

afterEach(async () => {
  await input.stop();
  expect(pool.isFull).toBe(true);
  pool.close();
});

async function open(address: string): Promise<void> {
  input = new RelayedInput(parseStreamOptions(address, streamDefaults), {
    pool,
    clock: { nowUs: () => nowUs },
    logger: new LogLines(),
    link: {
      openFeed: (stream, given) => {
        [asked, handler] = [stream, given];
        return feed;
      },
    },
    onChunk: (chunk: Chunk) => {
      published.push(chunk.timestampUs);
      chunk.release();
    },
    onState: (state) => states.push(state),
    onOutmoded: () => {
      outmoded += 1;
    },
  });
  const started = input.start();
  await Promise.resolve();
  await Promise.resolve();
  handler.onHeader('pcm', header);
  await started;
}

const take = (timestampUs: number, length = bytes) =>
  handler.onChunk(timestampUs, Buffer.alloc(length, 1));

describe('a stream of another server', () => {
  it('is asked for by the path of its address, or else by its name', async () => {
    expect(asked).toBe('Radio one');
    await input.stop();
    await open('snap://there?name=Radio');
    expect(asked).toBe('Radio');
  });

  it('has the format that its header tells', () => {
    expect([input.codec, String(input.format)]).toEqual(['pcm', '48000:16:2']);
  });

  it('says whether it has listeners', () => {
    input.activate();
    input.deactivate();
    expect(wishes).toEqual([false, true, false]);
  });

  it('passes chunks on once, in their order', () => {
    const startUs = nowUs - 100_000;
    for (const index of [0, 1, 0, 1, 2, 1, 3]) take(startUs + index * chunkUs);
    expect(published).toEqual([0, 1, 2, 3].map((index) => startUs + index * chunkUs));
    expect(input.relayFigures).toEqual({ stale: 0, duplicate: 3, damaged: 0 });
  });

  it('leaves a gap where there is one', () => {
    take(nowUs - 100_000);
    take(nowUs);
    expect(published).toHaveLength(2);
  });

  it('drops what could not be played any more, and what is of another time', () => {
    const { bufferMs } = input.options;
    take(nowUs - (bufferMs - 40) * 1000);
    take(nowUs + 1e8);
    take(nowUs - (bufferMs - 60) * 1000);
    expect(published).toEqual([nowUs - (bufferMs - 60) * 1000]);
    expect(input.relayFigures.stale).toBe(2);
  });

  it('drops what is damaged', () => {
    take(nowUs, bytes + 1);
    expect(published).toEqual([]);
    expect(input.relayFigures.damaged).toBe(1);
  });

  it('is to be replaced when its header is another one, and gives nothing any more', () => {
    handler.onHeader('pcm', Buffer.from(header));
    expect(outmoded).toBe(0);
    handler.onHeader('flac', Buffer.from('fLaC'));
    handler.onHeader('flac', Buffer.from('fLaC'));
    expect(outmoded).toBe(1);
    take(nowUs);
    expect(published).toEqual([]);
  });

  it('plays and rests as it does there', () => {
    handler.onPlaying(true);
    handler.onPlaying(true);
    handler.onPlaying(false);
    // First that there is a header.
    expect(states).toEqual(['idle', 'playing', 'idle']);
  });

  it('is disabled by a codec that nobody knows', async () => {
    await input.stop();
    header = Buffer.from('?');
    await open('snap://there?name=Radio');
    expect(input.state).toBe('disabled');
    expect(input.fault?.message).toMatch(/header/);
    handler.onPlaying(true);
    take(nowUs);
    expect([input.state, published]).toEqual(['disabled', []]);
  });
});
