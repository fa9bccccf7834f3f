import type { CopyProgress } from './clip-transfers.ts';

const barColumns = 24;
const mebibyte = 1024 * 1024;

/** How far a copy is, on one line of a terminal that is written over and over. */
export class ProgressBar {
  readonly #write: (text: string) => void;
  #name: string | undefined;
  #startMs = 0;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  show({ name, bytes, totalBytes }: CopyProgress): void {
    if (this.#name !== name) this.#startMs = performance.now();
    this.#name = name;
    const share = totalBytes === 0 ? 1 : bytes / totalBytes;
    const full = Math.round(share * barColumns);
    const bar = '#'.repeat(full).padEnd(barColumns, '.');
    const seconds = (performance.now() - this.#startMs) / 1000;
    const speed = seconds > 0 ? `, ${(bytes / mebibyte / seconds).toFixed(0)} MiB/s` : '';
    const amount = `${inMebibytes(bytes)} of ${inMebibytes(totalBytes)} MiB${speed}`;
    this.#write(`\r\x1B[K[${bar}] ${Math.floor(share * 100)} % of ${name}: ${amount}`);
  }

  /** Takes the line away, so that another text may stand there. */
  clear(): void {
    if (this.#name !== undefined) this.#write('\r\x1B[K');
    this.#name = undefined;
  }
}

export function inMebibytes(bytes: number): string {
  return (bytes / mebibyte).toFixed(1);
}
