import { batch, type ReadonlySignal, signal } from '@preact/signals';
import { ownClientId, remembered } from '../own-memory.ts';
import { AudioOutput } from './audio-output.ts';
import { OutputClock } from './output-clock.ts';
import { OutputDevice } from './output-device.ts';
import {
  announcePlayback,
  browserName,
  endPlayback,
  keepsContext,
  outputDeviceName,
  systemName,
} from './platform.ts';
import { Scheduler } from './scheduler.ts';
import { ServerClock } from './server-clock.ts';
import { createStreamDecoder, type StreamDecoder } from './stream-decoders.ts';
import { type StreamHello, StreamLink } from './stream-link.ts';
import type { PlayerSettings } from './stream-wire.ts';

/** What the page was built as. */
declare const pageVersion: string;

type PlayerState =
  | 'off'
  | 'starting'
  | 'playing'
  /** The browser wants a tap first: `start` within one. */
  | 'tapToHear'
  | 'reconnecting'
  | 'failed';

/** `audio`: this browser plays nothing. `codec`: not this stream. `login`: the server wants one.
 * `forbidden`: one that may listen. */
type PlayerFailure = 'audio' | 'codec' | 'login' | 'forbidden' | 'refused';

interface PlayerFigures {
  /** How late is what is heard, as far as the browser knows; `undefined` while nothing is. */
  readonly errorMs: number | undefined;
  readonly outputLatencyMs: number;
  readonly roundTripMs: number | undefined;
  /** How often the sound had to jump, or was missing, since `start`. */
  readonly resyncs: number;
  readonly underruns: number;
  /** Whether the browser says when sound leaves the loudspeaker, and nothing has to be assumed. */
  readonly isExact: boolean;
  /** Of the device that is heard; `undefined` where the browser does not tell it. */
  readonly deviceName: string | undefined;
}

/** Units: percent. */
interface PlayerVolume {
  readonly percent: number;
  readonly muted: boolean;
}

interface PlayerOptions {
  /** Of the stream, as `ws://host:1780/stream`. */
  readonly url: string;
  /** For servers with logins. */
  readonly auth?: () => StreamHello['Auth'];
}

interface EarlyChunk {
  readonly timestampMs: number;
  readonly payload: Uint8Array;
}

const refusals: Readonly<Record<number, PlayerFailure>> = { 401: 'login', 403: 'forbidden' };
const tickMs = 20;
const figuresMs = 500;
const maxErrors = 60_000 / figuresMs;
/** A context that was made within a tap runs before that. */
const patienceMs = 1000;
/** Chunks that may arrive while the decoder of a new stream is being made. */
const maxEarlyChunks = 1000;
const usualRateHz = 48_000;
const noFigures: PlayerFigures = {
  errorMs: undefined,
  outputLatencyMs: 0,
  roundTripMs: undefined,
  resyncs: 0,
  underruns: 0,
  isExact: true,
  deviceName: undefined,
};

/** This browser as one of the players, in step with the others. */
export class Player {
  readonly #options: PlayerOptions;
  readonly #state = signal<PlayerState>('off');
  readonly #failure = signal<PlayerFailure | undefined>(undefined);
  readonly #figures = signal(noFigures);
  readonly #format = signal('');
  readonly #bufferMs = signal(0);
  readonly #volume = signal<PlayerVolume>({ percent: 100, muted: false });
  readonly #device = new OutputDevice();
  readonly #offsetMs = signal(this.#device.offsetMs);
  readonly #clientId = signal(remembered('clientId'));
  readonly #serverClock = new ServerClock();
  readonly #outputClock = new OutputClock();
  readonly #errorsMs: (number | undefined)[] = [];
  #output: AudioOutput | undefined;
  #scheduler: Scheduler | undefined;
  #link: StreamLink | undefined;
  #decoder: StreamDecoder | undefined;
  #settings: PlayerSettings | undefined;
  /** What the decoder was made of. */
  #header = '';
  /** Chunks that wait for the decoder; `undefined` while none do. */
  #early: EarlyChunk[] | undefined;
  #isConnected = false;
  /** The connection is a new one, so what comes may be what came before. */
  #isAfterLoss = false;
  #startedMs = 0;
  #lookedMs = 0;
  #figuresAtMs = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: PlayerOptions) {
    this.#options = options;
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#wake();
    });
    globalThis.addEventListener('online', () => this.#link?.hurry());
    navigator.mediaDevices?.addEventListener('devicechange', () => void this.#nameDevice());
  }

  get state(): ReadonlySignal<PlayerState> {
    return this.#state;
  }

  /** Why the state is `failed`. */
  get failure(): ReadonlySignal<PlayerFailure | undefined> {
    return this.#failure;
  }

  /** Told twice a second. */
  get figures(): ReadonlySignal<PlayerFigures> {
    return this.#figures;
  }

  /** For people, as `FLAC 48/16`; empty while nothing is known. */
  get format(): ReadonlySignal<string> {
    return this.#format;
  }

  /** From capture to loudspeaker, as the server wants it. */
  get bufferMs(): ReadonlySignal<number> {
    return this.#bufferMs;
  }

  /** As the server wants it; that of the group's mute too. */
  get volume(): ReadonlySignal<PlayerVolume> {
    return this.#volume;
  }

  /** How much earlier the device that is heard has to play than it says; remembered for each. */
  get offsetMs(): ReadonlySignal<number> {
    return this.#offsetMs;
  }

  /** Under which the server knows this browser; `undefined` until it first listens. */
  get clientId(): ReadonlySignal<string | undefined> {
    return this.#clientId;
  }

  /** The errors of the last minute, in milliseconds, twice a second; the latest is the last. */
  get errorsMs(): readonly (number | undefined)[] {
    return this.#errorsMs;
  }

  /** One for each side of what is played, while something is; `endAnalysis` when they are not needed. */
  get analysers(): readonly AnalyserNode[] {
    return this.#output?.analysers ?? [];
  }

  endAnalysis(): void {
    this.#output?.endAnalysis();
  }

  /** To be called within a tap or a key press; also when it is on already, so that it is heard. */
  start(): void {
    announcePlayback({ play: () => this.start(), stop: () => this.stop() });
    try {
      this.#output ??= this.#open(usualRateHz);
    } catch {
      this.#fail('audio');
      return;
    }
    this.#output.resume();
    if (this.#link) {
      this.#wake();
      return;
    }
    this.#startedMs = performance.now();
    this.#clientId.value = ownClientId();
    this.#failure.value = undefined;
    this.#applyVolume();
    this.#link = this.#connect();
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#judge();
  }

  stop(): void {
    this.#end();
    this.#state.value = 'off';
  }

  /** Changes the volume of this player for all who see it. */
  setVolume(volume: PlayerVolume): void {
    this.#volume.value = volume;
    this.#applyVolume();
    this.#link?.report({ volume: volume.percent, muted: volume.muted });
  }

  setOffset(offsetMs: number): void {
    this.#device.setOffset(offsetMs);
    this.#offsetMs.value = offsetMs;
    this.#replan();
  }

  #open(rateHz: number): AudioOutput {
    const output = new AudioOutput(rateHz);
    output.onChange = () => this.#onOutputChange();
    this.#outputClock.forget();
    this.#device.forget();
    void this.#nameDevice();
    this.#scheduler = new Scheduler({
      rateHz: output.rateHz,
      wantMs: (frame) => this.#wantMs((frame * 1000) / output.rateHz),
      play: (block) => output.play(block),
      cancel: (block) => output.cancel(block),
    });
    return output;
  }

  #connect(): StreamLink {
    return new StreamLink({
      url: this.#options.url,
      hello: () => this.#hello(),
      onTime: (exchange) => {
        if (this.#serverClock.take(exchange)) this.#replan();
      },
      onSettings: (settings) => this.#onSettings(settings),
      onCodecHeader: (codec, header) => void this.#onCodecHeader(codec, header),
      onChunk: (timestampMs, payload) => this.#onChunk(timestampMs, payload),
      onRefusal: ({ code }) => this.#fail(refusals[code] ?? 'refused'),
      onLoss: () => {
        this.#isConnected = false;
        this.#isAfterLoss = true;
        this.#judge();
      },
    });
  }

  #hello(): StreamHello {
    const auth = this.#options.auth?.();
    return {
      MAC: '00:00:00:00:00:00',
      HostName: browserName(),
      Version: pageVersion,
      ClientName: 'Zerocast',
      OS: systemName(),
      Arch: 'web',
      Instance: 1,
      ID: ownClientId(),
      SnapStreamProtocolVersion: 2,
      ...(auth && { Auth: auth }),
    };
  }

  #wantMs(contextMs: number): number {
    const { bufferMs, latencyMs } = this.#settings ?? { bufferMs: Number.NaN, latencyMs: 0 };
    if (!this.#serverClock.isKnown || !this.#outputClock.isKnown) return Number.NaN;
    const heardMs = this.#serverClock.serverMs(this.#outputClock.performanceMs(contextMs));
    return heardMs - bufferMs + latencyMs + this.#offsetMs.peek();
  }

  #onSettings(settings: PlayerSettings): void {
    const before = this.#settings;
    this.#settings = settings;
    this.#isConnected = true;
    batch(() => {
      this.#bufferMs.value = settings.bufferMs;
      this.#volume.value = { percent: settings.volume, muted: settings.muted };
    });
    this.#applyVolume();
    if (before?.bufferMs !== settings.bufferMs || before.latencyMs !== settings.latencyMs) {
      this.#replan();
    }
  }

  async #onCodecHeader(codec: string, header: Uint8Array<ArrayBuffer>): Promise<void> {
    const text = `${codec} ${header.join()}`;
    const isSame = text === this.#header;
    const isAfterLoss = this.#isAfterLoss;
    this.#isAfterLoss = false;
    // Most probably the same stream, of which enough may be here to go on without a gap.
    if (isSame && isAfterLoss && this.#decoder) {
      this.#replan();
      return;
    }
    this.#header = text;
    this.#decoder?.close();
    this.#decoder = undefined;
    const early: EarlyChunk[] = [];
    this.#early = early;
    try {
      const decoder = await createStreamDecoder(codec, header);
      if (this.#early !== early || !this.#link) {
        decoder.close();
        return;
      }
      this.#early = undefined;
      this.#begin(decoder);
      for (const { timestampMs, payload } of early) this.#onChunk(timestampMs, payload);
    } catch {
      if (this.#early !== early || !this.#link) return;
      this.#fail('codec');
    }
  }

  #begin(decoder: StreamDecoder): void {
    this.#decoder = decoder;
    this.#format.value = decoder.text;
    const output = this.#output;
    if (output && output.rateHz !== decoder.rateHz && !keepsContext) {
      output.fadeAndClose();
      this.#output = this.#open(decoder.rateHz);
      this.#output.resume();
      this.#applyVolume();
    }
    this.#scheduler?.begin(decoder, this.#output?.frame ?? 0);
  }

  #onChunk(timestampMs: number, payload: Uint8Array): void {
    if (this.#early) {
      // The latest ones are of use.
      if (this.#early.push({ timestampMs, payload }) > maxEarlyChunks) this.#early.shift();
      return;
    }
    const output = this.#output;
    if (!this.#decoder || !output) return;
    try {
      this.#scheduler?.take({ timestampMs, channels: this.#decoder.decode(payload) }, output.frame);
    } catch {
      // As if it had been lost; the next one decodes.
      return;
    }
    this.#tick();
  }

  #onOutputChange(): void {
    // Whatever was planned is as late as the context was stopped.
    this.#outputClock.forget();
    this.#scheduler?.stop();
    this.#link?.hurry();
    this.#judge();
  }

  async #nameDevice(): Promise<void> {
    const name = await outputDeviceName();
    if (this.#output && this.#device.takeName(name)) this.#onDevice();
  }

  #onDevice(): void {
    this.#offsetMs.value = this.#device.offsetMs;
    // Pairs of the browser have told the clock already.
    if (!this.#outputClock.isExact) this.#outputClock.forget();
    this.#replan();
  }

  #wake(): void {
    if (!this.#link) return;
    if (!this.#output?.isRunning) this.#output?.resume();
    this.#link.hurry();
    this.#tick();
  }

  #replan(): void {
    if (this.#output) this.#scheduler?.replan(this.#output.frame);
    this.#fill();
  }

  /** Also when chunks arrive: timers are slow while the page is hidden. */
  #tick(): void {
    const nowMs = performance.now();
    const output = this.#output;
    if (output?.isRunning && nowMs - this.#lookedMs >= tickMs / 2) {
      this.#lookedMs = nowMs;
      const { pair, substitute, moment } = output.pairs;
      if (this.#outputClock.take(pair, substitute, moment)) this.#replan();
      if (this.#device.take(output.latencyMs, nowMs)) this.#onDevice();
    }
    this.#fill();
    if (nowMs - this.#figuresAtMs >= figuresMs) {
      this.#figuresAtMs = nowMs;
      this.#tell();
    }
    this.#judge();
  }

  #fill(): void {
    const output = this.#output;
    if (output?.isRunning && this.#settings) {
      this.#scheduler?.fill(output.frame, this.#settings.bufferMs);
    }
  }

  #judge(): void {
    if (this.#link) this.#state.value = this.#stateNow();
  }

  #stateNow(): PlayerState {
    if (!this.#isConnected) return this.#settings ? 'reconnecting' : 'starting';
    if (!this.#output?.isRunning) {
      return performance.now() - this.#startedMs < patienceMs ? 'starting' : 'tapToHear';
    }
    const isReady = this.#decoder && this.#serverClock.isKnown && this.#outputClock.isKnown;
    return isReady ? 'playing' : 'starting';
  }

  #tell(): void {
    const output = this.#output;
    const scheduler = this.#scheduler;
    if (!output || !scheduler) return;
    const errorMs = scheduler.errorMs(output.frame);
    if (this.#errorsMs.push(errorMs) > maxErrors) this.#errorsMs.shift();
    this.#figures.value = {
      errorMs,
      outputLatencyMs: this.#device.latencyMs,
      roundTripMs: this.#serverClock.isKnown ? this.#serverClock.roundTripMs : undefined,
      resyncs: scheduler.resyncs,
      underruns: scheduler.underruns,
      isExact: this.#outputClock.isExact,
      deviceName: this.#device.name,
    };
  }

  /** As other players do, so that the same number sounds as loud. */
  #applyVolume(): void {
    const { percent, muted } = this.#volume.peek();
    this.#output?.setGain(muted ? 0 : (10 ** (percent / 100) - 1) / 9);
  }

  #fail(failure: PlayerFailure): void {
    this.#end();
    batch(() => {
      this.#failure.value = failure;
      this.#state.value = 'failed';
    });
  }

  #end(): void {
    clearInterval(this.#timer);
    this.#link?.close();
    this.#link = undefined;
    this.#decoder?.close();
    this.#decoder = undefined;
    this.#early = undefined;
    this.#header = '';
    this.#settings = undefined;
    this.#isConnected = false;
    this.#isAfterLoss = false;
    this.#errorsMs.length = 0;
    this.#scheduler?.stop();
    if (keepsContext) {
      this.#output?.suspend();
    } else {
      this.#output?.close();
      this.#output = undefined;
    }
    endPlayback();
    batch(() => {
      this.#figures.value = noFigures;
      this.#format.value = '';
    });
  }
}
