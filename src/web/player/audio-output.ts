import type { OutputMoment, OutputPair } from './output-clock.ts';
import type { Block } from './scheduler.ts';

const rampS = 0.015;
/** Of Safari before 18.4, which does not tell; an estimate. */
const untoldLatencyMs = 40;

/** The loudspeaker of the browser: an audio context that plays blocks at their frames. */
export class AudioOutput {
  readonly #context: AudioContext;
  readonly #gain: GainNode;
  readonly #nodes = new Map<Block, AudioBufferSourceNode>();
  /** Takes both sides apart for those who look at them. */
  #sides: { readonly input: GainNode; readonly analysers: readonly AnalyserNode[] } | undefined;

  /** Failure: throws where there is no Web Audio. `rateHz` is only a wish on some systems. */
  constructor(rateHz: number) {
    this.#context = createContext(rateHz);
    this.#gain = this.#context.createGain();
    this.#gain.gain.value = 0;
    this.#gain.connect(this.#context.destination);
  }

  get rateHz(): number {
    return this.#context.sampleRate;
  }

  /** What the context renders now. */
  get frame(): number {
    return Math.round(this.#context.currentTime * this.rateHz);
  }

  /** Whether time passes for it; browsers withhold that until somebody has tapped the page. */
  get isRunning(): boolean {
    return this.#context.state === 'running';
  }

  /** As far as the browser knows. */
  get latencyMs(): number {
    const { outputLatency, baseLatency = 0 } = this.#context;
    const latencyMs = outputLatency === undefined ? untoldLatencyMs : outputLatency * 1000;
    return latencyMs + baseLatency * 1000;
  }

  /** One for each side of what is played, before the volume; there from the first call to `endAnalysis`. */
  get analysers(): readonly AnalyserNode[] {
    this.#sides ??= this.#analyse();
    return this.#sides.analysers;
  }

  endAnalysis(): void {
    const { input } = this.#sides ?? {};
    this.#sides = undefined;
    if (input) for (const node of this.#nodes.values()) node.disconnect(input);
  }

  set onChange(listener: () => void) {
    this.#context.onstatechange = listener;
  }

  /** Failure: does nothing where that needs a tap. */
  resume(): void {
    this.#context.resume().catch(() => undefined);
  }

  suspend(): void {
    this.#context.suspend().catch(() => undefined);
  }

  /** What there is to know about when sound is heard. */
  get pairs(): { pair: OutputPair | undefined; substitute: OutputPair; moment: OutputMoment } {
    const context = this.#context;
    const { contextTime, performanceTime } = context.getOutputTimestamp?.() ?? {};
    const nowMs = performance.now();
    const renderedMs = context.currentTime * 1000;
    return {
      pair:
        contextTime === undefined || performanceTime === undefined
          ? undefined
          : { contextMs: contextTime * 1000, performanceMs: performanceTime },
      substitute: { contextMs: renderedMs - this.latencyMs, performanceMs: nowMs },
      moment: { nowMs, renderedMs },
    };
  }

  play(block: Block): void {
    const context = this.#context;
    const { channels, frame } = block;
    const buffer = context.createBuffer(channels.length, channels[0]!.length, this.rateHz);
    channels.forEach((samples, channel) => {
      buffer.copyToChannel(samples, channel);
    });
    const node = context.createBufferSource();
    node.buffer = buffer;
    node.connect(this.#gain);
    if (this.#sides) node.connect(this.#sides.input);
    node.onended = () => this.#forget(block, node);
    node.start(frame / this.rateHz);
    this.#nodes.set(block, node);
  }

  cancel(block: Block): void {
    const node = this.#nodes.get(block);
    if (!node) return;
    node.onended = null;
    node.stop();
    this.#forget(block, node);
  }

  /** Without a click. */
  setGain(gain: number): void {
    const param = this.#gain.gain;
    const nowS = this.#context.currentTime;
    param.cancelScheduledValues(nowS);
    param.setValueAtTime(param.value, nowS);
    param.linearRampToValueAtTime(gain, nowS + rampS);
  }

  /** Another one follows at once. */
  fadeAndClose(): void {
    this.#context.onstatechange = null;
    this.setGain(0);
    setTimeout(() => this.close(), 1000 * rampS + this.latencyMs);
  }

  close(): void {
    this.#context.onstatechange = null;
    this.#context.close().catch(() => undefined);
    this.#nodes.clear();
  }

  #analyse() {
    const context = this.#context;
    // One channel is heard on both sides.
    const input = new GainNode(context, { channelCount: 2, channelCountMode: 'explicit' });
    const splitter = new ChannelSplitterNode(context, { numberOfOutputs: 2 });
    input.connect(splitter);
    const analysers = [0, 1].map((side) => {
      const analyser = new AnalyserNode(context, { fftSize: 2048, smoothingTimeConstant: 0.6 });
      splitter.connect(analyser, side);
      return analyser;
    });
    for (const node of this.#nodes.values()) node.connect(input);
    return { input, analysers };
  }

  #forget(block: Block, node: AudioBufferSourceNode): void {
    node.disconnect();
    this.#nodes.delete(block);
  }
}

function createContext(rateHz: number): AudioContext {
  try {
    return new AudioContext({ sampleRate: rateHz, latencyHint: 'playback' });
  } catch (error) {
    // Some refuse what the device has not.
    if (error instanceof DOMException) return new AudioContext({ latencyHint: 'playback' });
    throw error;
  }
}
