import { type NativeAddonResult, tcpFacts } from '../base/native/native-addon.ts';

type TcpFact = (typeof tcpFacts)[number];

/** What the kernel knows of one connection; what it does not tell is absent. */
export type TcpRow = Readonly<Partial<Record<TcpFact, number>>>;

const startPlaces = 16;

/** Asks the kernel about many connections by one call. */
export class TcpFactsReader {
  readonly #read: ((descriptors: Int32Array, rows: Float64Array) => void) | undefined;
  #descriptors = new Int32Array(startPlaces);
  #rows = new Float64Array(startPlaces * tcpFacts.length);

  constructor(native: NativeAddonResult) {
    this.#read = 'addon' in native ? native.addon.readTcpFacts : undefined;
  }

  /** Whether there is anything to be known: the addon is there, on Linux. */
  get isAble(): boolean {
    return this.#read !== undefined;
  }

  /** A row for each descriptor, in their order; −1 stands for one that is not known. */
  read(descriptors: readonly number[]): readonly TcpRow[] {
    if (!this.#read) return descriptors.map(() => ({}));
    this.#reserve(descriptors.length);
    this.#descriptors.set(descriptors);
    this.#read(this.#descriptors.subarray(0, descriptors.length), this.#rows);
    return descriptors.map((_, index) => this.#row(index));
  }

  #reserve(count: number): void {
    if (count <= this.#descriptors.length) return;
    const places = 2 ** Math.ceil(Math.log2(count));
    this.#descriptors = new Int32Array(places);
    this.#rows = new Float64Array(places * tcpFacts.length);
  }

  #row(index: number): TcpRow {
    const row: Partial<Record<TcpFact, number>> = {};
    const first = index * tcpFacts.length;
    for (const [place, name] of tcpFacts.entries()) {
      const value = this.#rows[first + place] ?? Number.NaN;
      if (!Number.isNaN(value)) row[name] = value;
    }
    return row;
  }
}
