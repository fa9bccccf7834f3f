import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const nativeDir = fileURLToPath(new URL('native/', import.meta.url));
const clientDir = fileURLToPath(new URL('../bench/native/', import.meta.url));

/** Failure: rejects with the compiler's own words. */
export async function buildPlayers(outDir: string): Promise<string> {
  const program = join(outDir, 'players');
  const flags = ['-std=c++20', '-O2', '-Wall', '-Wextra', '-Wconversion', '-Werror'];
  const sources = ['players.cpp', 'crowd.cpp', join(clientDir, 'client.cpp')];
  await promisify(execFile)('g++', [...flags, `-I${clientDir}`, ...sources, '-o', program], {
    cwd: nativeDir,
  });
  return program;
}

/** What the players have counted: joins, chunks, gaps and the like. */
export type PlayerCounts = Readonly<Record<string, number>>;

export type PlayerResult = PlayerCounts | { readonly problems: readonly string[] };

/** The players, who check every byte that they get, in a process of their own. */
export class Players {
  /** Resolves when everybody plays. */
  readonly joined: Promise<void>;
  /** What the players said last. */
  latest: PlayerCounts | undefined;
  /** What is wrong, when it has ended. */
  problems: readonly string[] = ['the program of the players died'];
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  /** Shape: `options` are those of the program. */
  constructor(program: string, options: Readonly<Record<string, number>>) {
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    child.stdin.on('error', () => {});
    this.#closed = once(child, 'close');
    this.joined = new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const { event, problems, ...counts } = JSON.parse(line);
        if (event === 'joined') resolve();
        else this.latest = counts;
        if (event === 'result') this.problems = problems;
      });
      this.#closed.then(() => reject(new Error(`players: ${this.problems.join('; ')}`)));
    });
    this.joined.catch(() => {});
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Everybody leaves; afterwards `latest` and `problems` are what they have to say. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    await this.#closed;
  }
}
