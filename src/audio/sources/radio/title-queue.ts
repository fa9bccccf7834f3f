import type { IcyTitle } from './icy-titles.ts';

/** Of stations that say more, what came last counts. */
const maxTitles = 32;
const leastIntervalMs = 1000;

interface TitleQueueOptions {
  /** From the read of a sample until it is heard. */
  readonly delayMs: number;
  readonly tell: (title: IcyTitle) => void;
}

/** Tells titles when they are heard, and not more often than once in a second. */
export class TitleQueue {
  readonly #options: TitleQueueOptions;
  /** By where they begin in the PCM, and then by when they are heard. */
  #coming: { readonly title: IcyTitle; readonly atBytes: number }[] = [];
  #due: { readonly title: IcyTitle; readonly atMs: number }[] = [];
  #toldMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TitleQueueOptions) {
    this.#options = options;
  }

  add(title: IcyTitle, atBytes: number): void {
    if (this.#coming.push({ title, atBytes }) > maxTitles) this.#coming.shift();
  }

  /** PCM was read up to there. */
  readUpTo(bytes: number): void {
    while (this.#coming[0] && this.#coming[0].atBytes <= bytes) {
      const { title } = this.#coming.shift()!;
      this.#due.push({ title, atMs: performance.now() + this.#options.delayMs });
      if (this.#due.length > maxTitles) this.#due.shift();
      this.#wait();
    }
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#coming = [];
    this.#due = [];
  }

  #wait(): void {
    const [first] = this.#due;
    if (!first || this.#timer) return;
    const atMs = Math.max(first.atMs, this.#toldMs + leastIntervalMs);
    this.#timer = setTimeout(() => this.#tell(), Math.ceil(Math.max(0, atMs - performance.now())));
  }

  /** The newest of those that are heard by now. */
  #tell(): void {
    this.#timer = undefined;
    this.#toldMs = performance.now();
    const later = this.#due.findIndex(({ atMs }) => atMs > this.#toldMs + 1);
    const heard = this.#due.splice(0, later < 0 ? this.#due.length : later).at(-1);
    if (heard) this.#options.tell(heard.title);
    this.#wait();
  }
}
