import type { TimedSound } from '../../../src/web/player/chunk-timeline.ts';
import { OutputClock } from '../../../src/web/player/output-clock.ts';
import { type Block, Scheduler } from '../../../src/web/player/scheduler.ts';
import { ServerClock } from '../../../src/web/player/server-clock.ts';
import { Random } from '../../support/random.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Of the clocks of server and device, compared with that of the browser; parts of a million. */
  readonly serverPpm?: number;
  readonly devicePpm?: number;
  /** Mean of what the network adds to each of its ways, milliseconds. */
  readonly jitterMs?: number;
  /** How much longer the way to the player takes than the way back, milliseconds. */
  readonly asymmetryMs?: number;
  readonly bufferMs?: number;
  readonly contextRateHz?: number;
  /** From then on the device is later by so much. */
  readonly deviceChange?: { readonly atMs: number; readonly laterMs: number };
  /** The main thread does nothing for `forMs` of every `everyMs`. */
  readonly block?: { readonly forMs: number; readonly everyMs: number };
  /** Nothing arrives from `fromMs` to `toMs`; then all of it. */
  readonly outage?: { readonly fromMs: number; readonly toMs: number };
  /** The source pauses. */
  readonly pause?: { readonly fromMs: number; readonly toMs: number };
  /** Timestamps are later by so much from then on, as when the server was held up. */
  readonly newRun?: { readonly atMs: number; readonly laterMs: number };
  readonly hasOutputPairs?: boolean;
}

export interface Heard {
  /** By the clock of the browser. */
  readonly atMs: number;
  /** Positive is late. */
  readonly errorMs: number;
  readonly isCopied: boolean;
}

export interface SimulationResult {
  readonly heard: readonly Heard[];
  /** Frames for which two blocks were planned, and for which none was, from the first to the last one. */
  readonly doubledFrames: number;
  readonly silentFrames: number;
  readonly scheduler: Scheduler;
}

const streamRateHz = 48_000;
const chunkMs = 20;
const chunkFrames = (streamRateHz * chunkMs) / 1000;
const burstFrames = 1024;
const outputLatencyMs = 40;
const serverStartMs = 5_000_000;
const wayMs = 1;
const stepMs = 2;

/** A server, a network, a main thread and a device, which need no time; seen by an observer who knows all. */
export class SimulatedPlayback {
  readonly #options: SimulationOptions;
  readonly #random: Random;
  readonly #serverClock = new ServerClock();
  readonly #outputClock = new OutputClock();
  readonly #scheduler: Scheduler;
  readonly #contextRateHz: number;
  readonly #bufferMs: number;
  readonly #blocks = new Set<Block>();
  /** What is on its way to the player, by its arrival. */
  readonly #arriving: { readonly atMs: number; readonly take: (nowMs: number) => void }[] = [];
  #lastArrivalMs = 0;
  #nowMs = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#contextRateHz = options.contextRateHz ?? streamRateHz;
    this.#bufferMs = options.bufferMs ?? 1000;
    this.#scheduler = new Scheduler({
      rateHz: this.#contextRateHz,
      wantMs: (frame) => {
        if (!this.#serverClock.isKnown || !this.#outputClock.isKnown) return Number.NaN;
        const atMs = this.#outputClock.performanceMs((frame * 1000) / this.#contextRateHz);
        return this.#serverClock.serverMs(atMs) - this.#bufferMs;
      },
      play: (block) => this.#blocks.add(block),
      cancel: (block) => {
        if (block.frame < this.#renderedFrame()) throw new Error('it has begun');
        this.#blocks.delete(block);
      },
    });
    this.#scheduler.begin({ rateHz: streamRateHz, channels: 1 }, 0);
  }

  run(): SimulationResult {
    const { seconds, block } = this.#options;
    let chunk = 0;
    let exchangeMs = 0;
    let tickMs = 0;
    for (; this.#nowMs < seconds * 1000; this.#nowMs += stepMs) {
      while (this.#captureMs(chunk + 1) <= this.#serverMs(this.#nowMs)) this.#send(chunk++);
      const isBlocked = block && this.#nowMs % block.everyMs < block.forMs;
      if (isBlocked) continue;
      this.#arriving.sort((a, b) => a.atMs - b.atMs);
      while (this.#arriving[0] && this.#arriving[0].atMs <= this.#nowMs) {
        this.#arriving.shift()?.take(this.#nowMs);
        this.#fill();
      }
      if (this.#nowMs >= exchangeMs) {
        exchangeMs += this.#nowMs < 720 ? 60 : this.#nowMs < 10_000 ? 300 : 1000;
        this.#exchange();
      }
      if (this.#nowMs >= tickMs) {
        tickMs = this.#nowMs + 20;
        this.#lookAtOutput();
        this.#fill();
      }
    }
    return this.#judge();
  }

  #serverMs(atMs: number): number {
    return serverStartMs + atMs * (1 + (this.#options.serverPpm ?? 0) * 1e-6);
  }

  /** When a chunk begins by the clock of the server; as it says, rounded to microseconds. */
  #captureMs(chunk: number): number {
    return serverStartMs + chunk * chunkMs;
  }

  /** What a frame of the stream is stamped with. */
  #timestampMs(frame: number): number {
    const { newRun } = this.#options;
    const atMs = (frame * 1000) / streamRateHz;
    const laterMs = newRun && atMs >= newRun.atMs ? newRun.laterMs : 0;
    return serverStartMs + atMs + laterMs;
  }

  #delayMs(): number {
    const jitterMs = this.#options.jitterMs ?? 0;
    const stallMs = this.#random.chance(0.01) ? jitterMs * 20 * this.#random.next() : 0;
    return -Math.log(1 - this.#random.next()) * jitterMs + stallMs;
  }

  #arrivesAt(sentMs: number, delayMs: number): number {
    const { outage } = this.#options;
    const isOut = outage && sentMs >= outage.fromMs && sentMs < outage.toMs;
    const atMs = Math.max(this.#lastArrivalMs, isOut ? outage.toMs : sentMs + delayMs);
    this.#lastArrivalMs = atMs;
    return atMs;
  }

  #send(chunk: number): void {
    const { pause } = this.#options;
    const startMs = chunk * chunkMs;
    if (pause && startMs >= pause.fromMs && startMs < pause.toMs) return;
    const first = chunk * chunkFrames;
    const sound: TimedSound = {
      timestampMs: Math.round(this.#timestampMs(first) * 1000) / 1000,
      channels: [Float32Array.from({ length: chunkFrames }, (_, index) => first + index)],
    };
    const atMs = this.#arrivesAt(this.#nowMs, wayMs + this.#delayMs());
    this.#arriving.push({ atMs, take: () => this.#scheduler.take(sound, this.#renderedFrame()) });
  }

  #exchange(): void {
    const sentMs = coarse(this.#nowMs);
    const serverAtMs = this.#nowMs + wayMs + this.#delayMs();
    const atMs = this.#arrivesAt(
      serverAtMs + 0.1,
      wayMs + (this.#options.asymmetryMs ?? 0) + this.#delayMs(),
    );
    const take = (nowMs: number) => {
      // A thread that is free takes it at once, though the steps of this world are coarser.
      const receivedMs = coarse(nowMs - atMs > 2 * stepMs ? nowMs : atMs);
      const isStep = this.#serverClock.take({
        sentMs,
        serverReceivedMs: this.#serverMs(serverAtMs),
        serverSentMs: this.#serverMs(serverAtMs + 0.1),
        receivedMs,
      });
      if (isStep) this.#scheduler.replan(this.#renderedFrame());
    };
    this.#arriving.push({ atMs, take });
  }

  /** What leaves the loudspeaker; nothing during a change of the device. */
  #heardFrame(atMs: number): number {
    const { devicePpm = 0, deviceChange } = this.#options;
    const laterMs = deviceChange && atMs >= deviceChange.atMs ? deviceChange.laterMs : 0;
    const rate = (1 + devicePpm * 1e-6) * (this.#contextRateHz / 1000);
    return (atMs - outputLatencyMs - laterMs) * rate;
  }

  #heardAtMs(frame: number): number {
    const { deviceChange } = this.#options;
    const rate = (1 + (this.#options.devicePpm ?? 0) * 1e-6) * (this.#contextRateHz / 1000);
    const atMs = frame / rate + outputLatencyMs;
    return deviceChange && atMs >= deviceChange.atMs ? atMs + deviceChange.laterMs : atMs;
  }

  /** Rendered in bursts, ahead of what is heard. */
  #renderedFrame(): number {
    const ahead = (outputLatencyMs * this.#contextRateHz) / 1000;
    const frame = this.#heardFrame(this.#nowMs) + ahead;
    return Math.max(0, Math.floor(frame / burstFrames) * burstFrames);
  }

  #lookAtOutput(): void {
    const { hasOutputPairs = true } = this.#options;
    const nowMs = this.#nowMs;
    const renderedMs = (this.#renderedFrame() * 1000) / this.#contextRateHz;
    const pairAtMs = nowMs - 10 * this.#random.next();
    const pair = {
      contextMs: (this.#heardFrame(pairAtMs) * 1000) / this.#contextRateHz,
      performanceMs: coarse(pairAtMs + 0.2 * this.#random.next()),
    };
    const substitute = { contextMs: renderedMs - outputLatencyMs, performanceMs: nowMs };
    const moment = { nowMs, renderedMs };
    const isStep = this.#outputClock.take(hasOutputPairs ? pair : undefined, substitute, moment);
    if (isStep) this.#scheduler.replan(this.#renderedFrame());
  }

  #fill(): void {
    this.#scheduler.fill(this.#renderedFrame(), this.#bufferMs);
  }

  #judge(): SimulationResult {
    const heard: Heard[] = [];
    const planned: { readonly from: number; readonly to: number }[] = [];
    const fade = this.#contextRateHz * 0.012;
    for (const { frame, channels } of this.#blocks) {
      const samples = channels[0]!;
      // What fades away is heard below another one.
      if (samples.length < fade) continue;
      planned.push({ from: frame, to: frame + samples.length });
      for (let index = Math.ceil(fade); index < samples.length - fade; index += 100) {
        const value = samples[index]!;
        const atMs = this.#heardAtMs(frame + index);
        const errorMs = this.#serverMs(atMs) - this.#timestampMs(value) - this.#bufferMs;
        const isCopied = samples[index + 1]! - value === 1 && Number.isInteger(value);
        heard.push({ atMs, errorMs, isCopied });
      }
    }
    heard.sort((a, b) => a.atMs - b.atMs);
    planned.sort((a, b) => a.from - b.from);
    const gaps = planned.slice(1).map(({ from }, index) => from - planned[index]!.to);
    return {
      heard,
      doubledFrames: sum(gaps.map((gap) => Math.max(0, -gap))),
      silentFrames: sum(gaps.map((gap) => Math.max(0, gap))),
      scheduler: this.#scheduler,
    };
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** As browsers tell the time. */
function coarse(ms: number): number {
  return Math.floor(ms * 10) / 10;
}

/** The value below which `part` of the sizes are. */
export function percentile(values: readonly number[], part: number): number {
  const sizes = values.map(Math.abs).sort((a, b) => a - b);
  return sizes[Math.min(sizes.length - 1, Math.floor(part * sizes.length))] ?? Number.NaN;
}
