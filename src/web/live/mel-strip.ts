import { displayBands } from '../../dsp/mel-scale.ts';
import { isStill } from '../settings.ts';
import { colourOf } from './canvas-colours.ts';

/** Ten seconds. */
const columns = 250;
const columnUs = 40_000;
const steps = 256;

interface Row {
  readonly heardUs: number;
  readonly mel: Uint8Array;
}

/** The spectrum of the last ten seconds: one column for each row, low tones below. */
export class MelStrip {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #column: ImageData;
  readonly #pixels: Uint32Array;
  #palette: Uint32Array;
  #rows: Row[] = [];
  #lastUs = 0;
  #place = 0;

  /** Shape: `canvas` is made as wide and as high as it needs; its style says how large it looks. */
  constructor(canvas: HTMLCanvasElement) {
    canvas.width = columns;
    canvas.height = displayBands;
    this.#canvas = canvas;
    // Kept where single columns are cheap.
    this.#context = canvas.getContext('2d', { willReadFrequently: true })!;
    this.#column = new ImageData(1, displayBands);
    this.#pixels = new Uint32Array(this.#column.data.buffer);
    this.#palette = paletteOf(canvas);
  }

  take(heardUs: number, mel: Uint8Array): void {
    if (this.#rows.push({ heardUs, mel }) > columns) this.#rows.shift();
  }

  draw(): void {
    for (const { heardUs, mel } of this.#rows) {
      const passed = Math.round((heardUs - this.#lastUs) / columnUs);
      this.#lastUs = heardUs;
      this.#goOn(Math.min(columns, Math.max(1, passed)));
      this.#write(mel);
    }
    this.#rows = [];
  }

  /** The colours of the page are other ones. */
  recolour(): void {
    this.#palette = paletteOf(this.#canvas);
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
  }

  /**
   * Makes room for the next column; what passed without a row stays empty. For those who want no
   * motion nothing scrolls: columns are written from left to right, over the oldest.
   */
  #goOn(passed: number): void {
    const { width, height } = this.#canvas;
    if (!isStill.peek()) {
      this.#place = width - 1;
      this.#context.globalCompositeOperation = 'copy';
      this.#context.drawImage(this.#canvas, -passed, 0);
    } else {
      this.#place = (this.#place + passed) % width;
      this.#context.clearRect(this.#place, 0, 8, height);
    }
  }

  #write(mel: Uint8Array): void {
    const pixels = this.#pixels;
    for (let band = 0; band < pixels.length; band += 1) {
      pixels[pixels.length - 1 - band] = this.#palette[mel[band] ?? 0]!;
    }
    this.#context.putImageData(this.#column, this.#place, 0);
  }
}

/** From the background over the colour to that of the outline. */
function paletteOf(canvas: HTMLCanvasElement): Uint32Array {
  const stops = ['background-color', 'color', 'outline-color'].map((name) =>
    colourOf(canvas, name),
  );
  const bytes = new Uint8ClampedArray(4 * steps);
  for (let step = 0; step < steps; step += 1) {
    // Most of what is heard lies between −80 and −20 dB.
    const place = 2 * Math.min(1, Math.max(0, (step - 20) / 200));
    const from = stops[Math.min(1, Math.floor(place))]!;
    const to = stops[Math.min(2, Math.floor(place) + 1)]!;
    const part = place - Math.floor(place);
    for (const channel of [0, 1, 2] as const) {
      bytes[4 * step + channel] = from[channel] + part * (to[channel] - from[channel]);
    }
    bytes[4 * step + 3] = 255;
  }
  return new Uint32Array(bytes.buffer);
}
