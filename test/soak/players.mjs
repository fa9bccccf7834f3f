import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const nativeDir = fileURLToPath(new URL('native/', import.meta.url));
const clientDir = fileURLToPath(new URL('../bench/native/', import.meta.url));

/** Failure: rejects with the compiler's own words. */
export async function buildPlayers(outDir) {
  const program = join(outDir, 'players');
  const flags = ['-std=c++20', '-O2', '-Wall', '-Wextra', '-Wconversion', '-Werror'];
  const sources = ['players.cpp', 'crowd.cpp', join(clientDir, 'client.cpp')];
  await promisify(execFile)('g++', [...flags, `-I${clientDir}`, ...sources, '-o', program], {
    cwd: nativeDir,
  });
  return program;
}

/** The players, who check every byte that they get, in a process of their own. */
export class Players {
  /** Resolves when everybody plays. */
  joined;
  /** What the players said last. */
  latest;
  #child;
  #closed;
  #result;

  /** Shape: `options` are those of the program. */
  constructor(program, options) {
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin.on('error', () => {});
    this.#closed = once(this.#child, 'close');
    this.joined = new Promise((resolve, reject) => {
      createInterface({ input: this.#child.stdout }).on('line', (line) => {
        const { event, ...figures } = JSON.parse(line);
        if (event === 'joined') resolve();
        else this.latest = figures;
        if (event === 'result') this.#result = figures;
      });
      this.#closed.then(() => reject(new Error(`players: ${this.problems.join('; ')}`)));
    });
    this.joined.catch(() => {});
  }

  get hasEnded() {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get problems() {
    return this.#result?.problems ?? ['the program of the players died'];
  }

  /** Everybody leaves; resolves to what they have to say. */
  async stop() {
    this.#child.stdin.end();
    await this.#closed;
    return this.#result ?? { problems: this.problems };
  }
}
