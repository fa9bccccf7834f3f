import type { MeterLevels } from '../../metering/meter-frame.ts';
import { PeakHold } from './peak-hold.ts';

/** What the left end of a bar is. */
export const lowestDb = -60;
const hotDb = -6;
/** From here on players may clip. */
const clipDb = -1;
const gapShare = 0.25;
const tickPx = 2;
const groundAlpha = 0.12;

interface BarColours {
  readonly low: string;
  readonly hot: string;
  readonly clip: string;
  readonly tick: string;
}

/** Bars of the levels of a stream, one below the other: RMS, the peak fainter, a tick that is held. */
export class LevelBars {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #holds: readonly PeakHold[];
  #colours: BarColours;
  #levels: MeterLevels | undefined;
  #heldDb: number[];
  #sizePx = 0;

  constructor(canvas: HTMLCanvasElement, channels: number) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d', { willReadFrequently: true })!;
    this.#holds = Array.from({ length: channels }, () => new PeakHold());
    this.#heldDb = this.#holds.map(() => Number.NEGATIVE_INFINITY);
    this.#colours = coloursOf(canvas);
  }

  /** Of each channel. */
  get heldDb(): readonly number[] {
    return this.#heldDb;
  }

  take(levels: MeterLevels, heardUs: number): void {
    this.#levels = levels;
    this.#heldDb = this.#holds.map((hold, channel) =>
      hold.take(levels.peakDb[channel] ?? Number.NEGATIVE_INFINITY, heardUs / 1000),
    );
  }

  /** The page or its colours have changed. */
  refresh(widthPx: number, heightPx: number): void {
    this.#canvas.width = Math.round(widthPx * devicePixelRatio);
    this.#canvas.height = Math.round(heightPx * devicePixelRatio);
    this.#colours = coloursOf(this.#canvas);
    this.draw();
  }

  draw(): void {
    const { width, height } = this.#canvas;
    const context = this.#context;
    const { peakDb = [], rmsDb = [], truePeakDb = [] } = this.#levels ?? {};
    const step = height / this.#holds.length;
    const thick = Math.round(step * (1 - gapShare));
    this.#sizePx = width;
    context.globalAlpha = 1;
    context.clearRect(0, 0, width, height);
    for (let channel = 0; channel < this.#holds.length; channel += 1) {
      const top = Math.round(channel * step + (step - thick) / 2);
      const bar = (db: number, alpha: number) => this.#bar(db, alpha, top, thick);
      context.fillStyle = this.#colours.tick;
      context.globalAlpha = groundAlpha;
      context.fillRect(0, top, width, thick);
      bar(peakDb[channel] ?? lowestDb, 0.45);
      bar(rmsDb[channel] ?? lowestDb, 1);
      const held = this.#x(this.#heldDb[channel]!);
      if (held === 0) continue;
      context.fillStyle =
        Math.max(this.#heldDb[channel]!, truePeakDb[channel] ?? lowestDb) > clipDb
          ? this.#colours.clip
          : this.#colours.tick;
      context.globalAlpha = 1;
      const tick = tickPx * devicePixelRatio;
      context.fillRect(Math.min(width, held) - tick, top, tick, thick);
    }
  }

  #x(db: number): number {
    const share = (db - lowestDb) / -lowestDb;
    return Math.round(this.#sizePx * Math.min(1, Math.max(0, share)));
  }

  #bar(db: number, alpha: number, top: number, thick: number): void {
    const { low, hot, clip } = this.#colours;
    const end = this.#x(db);
    this.#context.globalAlpha = alpha;
    for (const [fromDb, toDb, colour] of [
      [lowestDb, hotDb, low],
      [hotDb, clipDb, hot],
      [clipDb, 0, clip],
    ] as const) {
      const start = this.#x(fromDb);
      if (end <= start) return;
      this.#context.fillStyle = colour;
      this.#context.fillRect(start, top, Math.min(end, this.#x(toDb)) - start, thick);
    }
  }
}

/** Of the canvas itself: styles know light and dark. */
function coloursOf(canvas: HTMLCanvasElement): BarColours {
  const style = getComputedStyle(canvas);
  return {
    low: style.color,
    hot: style.outlineColor,
    clip: style.borderTopColor,
    tick: style.caretColor,
  };
}
