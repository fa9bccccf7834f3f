import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const sourceDir = fileURLToPath(new URL('native/', import.meta.url));
const flags = ['-std=c++20', '-O2', '-Wall', '-Wextra', '-Wconversion', '-Werror'];
const sources = ['relay.cpp', 'bad-link.cpp', 'tun-device.cpp'];

export const nearAddress = '10.99.0.1';
const farAddress = '10.99.0.2';

export interface LinkQuality {
  readonly lossPercent: number;
  readonly delayMs: number;
  /** 0 for as many as there are. */
  readonly kilobytesPerSecond: number;
  readonly isUp: boolean;
}

const good: LinkQuality = { lossPercent: 0, delayMs: 1, kilobytesPerSecond: 0, isUp: true };

/** Brings up the loopback interface of a new network namespace. */
export function raiseLoopback(): void {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
}

/** Compiles the relay. Failure: rejects with the compiler's own words. */
export async function buildRelay(outDir: string): Promise<string> {
  const relay = join(outDir, 'relay');
  await run('g++', [...flags, ...sources, '-o', relay], { cwd: sourceDir });
  return relay;
}

/**
 * The bad way between this network namespace and that of another process.
 *
 * The kernel's own `netem` would do, but not every kernel has it.
 */
export class BadNetwork {
  readonly #relay: ChildProcess;

  /** Shape: `far` is the process in the other namespace. */
  static async open({
    relay,
    far,
    seed,
  }: {
    readonly relay: string;
    readonly far: ChildProcess;
    readonly seed: number;
  }): Promise<BadNetwork> {
    const namespace = `/proc/${far.pid}/ns/net`;
    const child = spawn(relay, [namespace, String(seed)], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.on('error', () => {});
    const ended = once(child, 'exit').then(() =>
      Promise.reject(new Error('the relay did not begin')),
    );
    await Promise.race([once(child.stdout, 'data'), ended]);
    ended.catch(() => {});
    const inFar = ['nsenter', `--net=${namespace}`];
    const ip = (prefix: readonly string[], ...words: string[]) => {
      const [program = '', ...args] = [...prefix, 'ip', ...words];
      execFileSync(program, args);
    };
    for (const [prefix, name, address] of [
      [[], 'near', nearAddress],
      [inFar, 'far', farAddress],
    ] as const) {
      ip(prefix, 'addr', 'add', `${address}/24`, 'dev', name);
      ip(prefix, 'link', 'set', name, 'up');
    }
    const network = new BadNetwork(child);
    network.heal();
    return network;
  }

  private constructor(child: ChildProcess) {
    this.#relay = child;
  }

  set({ lossPercent, delayMs, kilobytesPerSecond, isUp }: LinkQuality): void {
    const words = ['link', lossPercent, delayMs, kilobytesPerSecond, isUp ? 1 : 0];
    this.#relay.stdin?.write(`${words.join(' ')}\n`);
  }

  heal(): void {
    this.set(good);
  }

  async close(): Promise<void> {
    if (this.#relay.exitCode !== null) throw new Error('the relay ended early');
    const closed = once(this.#relay, 'close');
    this.#relay.stdin?.end();
    await closed;
  }
}
