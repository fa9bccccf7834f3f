import type { Page } from 'playwright-core';
import { createFlacDecoder } from '../../src/audio/decoders/flac-decoder.ts';
import { createPcmDecoder } from '../../src/audio/decoders/pcm-decoder.ts';
import { bytesOf } from '../../src/audio/sample-conversion.ts';
import { messageType } from '../../src/protocol/layout.ts';
import type { IncomingMessage } from '../../src/protocol/message-reader.ts';
import { decodeCodecHeader, decodeWireChunk, encodeHello } from '../../src/protocol/messages.ts';
import { helloOf, ScriptedClient } from '../support/scripted-client.ts';
import { distance, type NumberedStream, numberOf } from './numbered-audio.ts';

/** Of those that the servers of the tests send. */
const longestChunkMs = 30;

/** One rendered frame as the tap in the page saw it. Shape: samples from -1 to 1. */
type Tap = readonly [contextMs: number, left: number, right: number];

interface Recording {
  readonly contexts: AudioContext[];
  readonly taps: Tap[];
  /** Which time of the context was heard at which of the page. */
  readonly pairs: (readonly [contextMs: number, performanceMs: number])[];
  readonly isSecure: boolean;
  readonly hasWorklet: boolean;
  readonly hasDecoder: boolean;
}

declare global {
  var heard: Recording;
}

/** What the browser renders in an audio worklet, which nothing holds up. */
const tapProgram = `registerProcessor('tap', class extends AudioWorkletProcessor {
  taps = [];
  process([[left, right]]) {
    this.taps.push([currentFrame * 1000 / sampleRate, left?.[0] ?? 0, (right ?? left)?.[0] ?? 0]);
    if (this.taps.length === 32) this.port.postMessage(this.taps.splice(0));
    return true;
  }
});`;

/**
 * Has the page record what reaches its loudspeaker, before any of its own scripts runs. Where it has
 * worklets it must be allowed a program that is not of its server.
 */
export async function recordPage(page: Page): Promise<void> {
  await page.addInitScript((tapProgram) => {
    const recording: Recording = {
      contexts: [],
      taps: [],
      pairs: [],
      isSecure: globalThis.isSecureContext,
      hasWorklet: 'audioWorklet' in AudioContext.prototype,
      hasDecoder: 'AudioDecoder' in globalThis,
    };
    globalThis.heard = recording;
    const connect = AudioNode.prototype.connect as (this: AudioNode, to: AudioNode) => AudioNode;
    const attach = async (node: AudioNode) => {
      const context = node.context as AudioContext;
      recording.contexts.push(context);
      setInterval(() => {
        const { contextTime = 0, performanceTime = 0 } = context.getOutputTimestamp();
        if (contextTime > 0) recording.pairs.push([contextTime * 1000, performanceTime]);
      }, 20);
      if (!recording.hasWorklet) {
        // The only way over plain HTTP; it loses some when the main thread is busy.
        const tap = context.createScriptProcessor(1024, 2, 1);
        tap.onaudioprocess = ({ inputBuffer, playbackTime }) => {
          const [left, right] = [inputBuffer.getChannelData(0), inputBuffer.getChannelData(1)];
          recording.taps.push([playbackTime * 1000, left[0] ?? 0, right[0] ?? 0]);
        };
        connect.call(node, tap);
        connect.call(tap, context.destination);
        return;
      }
      const program = new Blob([tapProgram], { type: 'text/javascript' });
      await context.audioWorklet.addModule(URL.createObjectURL(program));
      const tap = new AudioWorkletNode(context, 'tap');
      tap.port.onmessage = ({ data }) => recording.taps.push(...data);
      connect.call(node, tap);
      connect.call(tap, context.destination);
    };
    AudioNode.prototype.connect = function (this: AudioNode, to: AudioNode) {
      if (to instanceof AudioDestinationNode) void attach(this);
      return connect.call(this, to);
    } as AudioNode['connect'];
  }, tapProgram);
}

/** By how much the clock of this process, which is that of the server, is ahead of that of the page. */
async function clockAheadMs(page: Page): Promise<number> {
  let least = Number.NEGATIVE_INFINITY;
  let most = Number.POSITIVE_INFINITY;
  for (let ping = 0; ping < 300; ping += 1) {
    const beforeMs = monotonicMs();
    const pageMs = await page.evaluate(() => performance.now());
    least = Math.max(least, beforeMs - pageMs);
    most = Math.min(most, monotonicMs() - pageMs);
  }
  return (least + most) / 2;
}

function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

interface TimedNumber {
  readonly timestampMs: number;
  readonly frame: number;
}

/** A second player of one stream, which knows what of it should be heard when. */
export class Witness {
  readonly #chunks: TimedNumber[] = [];
  #client: ScriptedClient | undefined;
  #decode: (payload: Uint8Array) => Uint8Array = (payload) => payload;

  /** Once more after the server has gone: what is known is kept. */
  connect(port: number, id: string): void {
    this.#client?.close();
    const client = new ScriptedClient(port, {
      onMessage: (message) => this.#take(message),
      onOpen: () => client.send(encodeHello(helloOf(id), 2)),
    });
    this.#client = client;
  }

  close(): void {
    this.#client?.close();
  }

  get hasHeard(): boolean {
    return this.#chunks.length > 0;
  }

  /** The frame that belongs to a time of the server; `undefined` when its source was silent. */
  frameAt(timeMs: number): number | undefined {
    const chunk = this.#chunks.findLast(({ timestampMs }) => timestampMs <= timeMs);
    if (!chunk || timeMs - chunk.timestampMs > longestChunkMs) return undefined;
    return chunk.frame + (timeMs - chunk.timestampMs) * 48;
  }

  #take({ type, body }: IncomingMessage): void {
    if (type === messageType.codecHeader) {
      const { codec, payload } = decodeCodecHeader(body);
      const decoder = codec === 'flac' ? createFlacDecoder(payload) : createPcmDecoder(payload);
      this.#decode = (chunk) => decoder.decode(chunk);
    } else if (type === messageType.wireChunk) {
      const { timestampUs, payload } = decodeWireChunk(body);
      const left = bytesOf(this.#decode(payload)).readInt16LE(0);
      this.#chunks.push({ timestampMs: timestampUs / 1000, frame: left + 32_768 });
    }
  }
}

export interface Sounded {
  /** By the clock of the server. */
  readonly atMs: number;
  /** Absent while it is silent, fades, or is more than one. */
  readonly stream?: NumberedStream;
  readonly isSilent: boolean;
  /** No sample was changed. */
  readonly isExact: boolean;
  /** Positive is late; as far as the witness knows. */
  readonly errorMs?: number;
}

type Witnesses = Readonly<Record<NumberedStream, Witness>>;

/** All that the page has played so far, compared with what it should have. */
export async function soundOf(
  page: Page,
  { witnesses, bufferMs }: { readonly witnesses: Witnesses; readonly bufferMs: number },
): Promise<readonly Sounded[]> {
  const aheadMs = await clockAheadMs(page);
  const { taps, pairs } = await page.evaluate(() => ({
    taps: globalThis.heard.taps,
    pairs: globalThis.heard.pairs,
  }));
  let first = 0;
  return taps.flatMap(([contextMs, left, right], index): Sounded[] => {
    // Browsers under pressure give two quanta the same time.
    if (taps[index + 1]?.[0] === contextMs || taps[index - 1]?.[0] === contextMs) return [];
    while (first < pairs.length - 1 && pairs[first]![0] < contextMs - 1000) first += 1;
    const near: number[] = [];
    for (let at = first; at < pairs.length && pairs[at]![0] < contextMs + 1000; at += 1) {
      near.push(pairs[at]![1] - pairs[at]![0]);
    }
    if (near.length === 0) return [];
    const atMs = contextMs + median(near) + aheadMs;
    const samples = { left: left * 32_768, right: right * 32_768 };
    const isExact = Number.isInteger(samples.left) && Number.isInteger(samples.right);
    if (left === 0 && right === 0) return [{ atMs, isExact, isSilent: true }];
    const number = numberOf(samples.left, samples.right);
    if (!number) return [{ atMs, isExact, isSilent: false }];
    const expected = witnesses[number.stream].frameAt(atMs - bufferMs);
    const errorMs =
      expected === undefined ? {} : { errorMs: distance(expected, number.frame) / 48 };
    return [{ atMs, stream: number.stream, isExact, isSilent: false, ...errorMs }];
  });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** The size below which `part` of them are. */
export function percentile(values: readonly number[], part: number): number {
  const sizes = values.map(Math.abs).sort((a, b) => a - b);
  return sizes[Math.min(sizes.length - 1, Math.floor(part * sizes.length))] ?? Number.NaN;
}
