import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** What the system tells by files below `/proc`, `/sys`, `/etc` and `/run`. */
export class SystemFiles {
  readonly #root: string;

  /** `root` stands before each path: for tests. */
  constructor(root = '') {
    this.#root = root;
  }

  /** The text without blanks around it; `undefined` when it cannot be read. */
  text(path: string): string | undefined {
    return attempt(() => readFileSync(this.#at(path), 'utf8').trim());
  }

  /** A file that holds one number. */
  number(path: string): number | undefined {
    const text = this.text(path);
    return text && /^\d+$/.test(text) ? Number(text) : undefined;
  }

  entries(path: string): readonly string[] {
    return attempt(() => readdirSync(this.#at(path))) ?? [];
  }

  linkTarget(path: string): string | undefined {
    return attempt(() => readlinkSync(this.#at(path)));
  }

  exists(path: string): boolean {
    return this.text(path) !== undefined || this.entries(path).length > 0;
  }

  #at(path: string): string {
    return this.#root === '' ? path : join(this.#root, path);
  }
}

function attempt<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
