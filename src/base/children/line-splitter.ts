import { StringDecoder } from 'node:string_decoder';
import { cutText } from '../foreign-text.ts';

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
    this.#rest = this.#emitPieces(last);
  }

  #emit(text: string): void {
    const rest = this.#emitPieces(text);
    if (rest !== '') this.#line(rest);
  }

  /** Hands out pieces of full length; returns what is left. */
  #emitPieces(text: string): string {
    let rest = text;
    while (rest.length >= maxLineLength) {
      const piece = cutText(rest, maxLineLength);
      this.#line(piece);
      rest = rest.slice(piece.length);
    }
    return rest;
  }
}
