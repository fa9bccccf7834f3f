import { StringDecoder } from 'node:string_decoder';

/** Longer lines are handed out in pieces: a program may write without ever ending a line. */
export const maxLineLength = 1000;

/** Cuts the text that a program writes into lines; empty ones are left out. */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  readonly #line: (text: string) => void;
  #rest = '';

  constructor(line: (text: string) => void) {
    this.#line = line;
  }

  write(data: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(data)).split(/[\r\n]+/);
    const last = lines.pop() ?? '';
    for (const line of lines) this.#emit(line);
    const kept = last.length % maxLineLength;
    this.#emit(last.slice(0, last.length - kept));
    this.#rest = last.slice(last.length - kept);
  }

  #emit(text: string): void {
    for (let at = 0; at < text.length; at += maxLineLength) {
      this.#line(text.slice(at, at + maxLineLength));
    }
  }
}
