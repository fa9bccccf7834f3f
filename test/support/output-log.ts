import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Of a process that prints more the end is kept. */
const maxKeptChars = 16 * 1024 * 1024;

/** Collects what a process prints and lets a test wait for a piece of it. */
export class OutputLog {
  #text = '';
  #ended = false;
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #changed = new Set<() => void>();

  constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#text += text;
        if (this.#text.length > maxKeptChars) this.#text = this.#text.slice(-maxKeptChars / 2);
        this.#notify();
      });
    }
    child.once('error', (error) => {
      this.#text += `${error.message}\n`;
      this.#end();
    });
    child.once('close', () => this.#end());
  }

  get text(): string {
    return this.#text;
  }

  /** Hands on each line of either output, from now on. */
  onLine(listener: (line: string) => void): void {
    for (const input of [this.#child.stdout, this.#child.stderr]) {
      if (input) createInterface({ input }).on('line', listener);
    }
  }

  /** Resolves with the first match; rejects with the whole log when it does not come. */
  async waitFor(pattern: RegExp, timeoutMs = 20_000): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const settle = (action: () => void) => {
        clearTimeout(timer);
        this.#changed.delete(check);
        action();
      };
      const fail = (what: string) => {
        const message = `${this.#name} ${what} ${pattern}; it printed:\n${this.#text}`;
        settle(() => reject(new Error(message)));
      };
      const check = () => {
        const match = pattern.exec(this.#text);
        if (match) settle(() => resolve(match));
        else if (this.#ended) fail('ended without');
      };
      const timer = setTimeout(() => fail(`did not print within ${timeoutMs} ms`), timeoutMs);
      this.#changed.add(check);
      check();
    });
  }

  #end(): void {
    this.#ended = true;
    this.#notify();
  }

  #notify(): void {
    for (const check of [...this.#changed]) check();
  }
}
