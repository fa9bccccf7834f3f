import { execFile, execFileSync, spawn } from 'node:child_process';
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
const good = { lossPercent: 0, delayMs: 1, kilobytesPerSecond: 0, isUp: true };

/** Brings up the loopback interface of a new network namespace. */
export function raiseLoopback() {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
}

/** Compiles the relay. Failure: rejects with the compiler's own words. */
export async function buildRelay(outDir) {
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
  #relay;

  /** Shape: `far` is the process in the other namespace. */
  static async open({ relay, far, seed }) {
    const namespace = `/proc/${far.pid}/ns/net`;
    const child = spawn(relay, [namespace, String(seed)], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.on('error', () => {});
    const ended = once(child, 'exit').then(() =>
      Promise.reject(new Error('the relay did not begin')),
    );
    await Promise.race([once(child.stdout, 'data'), ended]);
    ended.catch(() => {});
    const inFar = ['nsenter', `--net=${namespace}`];
    for (const [prefix, name, address] of [
      [[], 'near', nearAddress],
      [inFar, 'far', farAddress],
    ]) {
      const ip = [...prefix, 'ip'];
      execFileSync(ip[0], [...ip.slice(1), 'addr', 'add', `${address}/24`, 'dev', name]);
      execFileSync(ip[0], [...ip.slice(1), 'link', 'set', name, 'up']);
    }
    const network = new BadNetwork(child);
    network.heal();
    return network;
  }

  constructor(child) {
    this.#relay = child;
  }

  set({ lossPercent, delayMs, kilobytesPerSecond, isUp }) {
    const words = ['link', lossPercent, delayMs, kilobytesPerSecond, isUp ? 1 : 0];
    this.#relay.stdin.write(`${words.join(' ')}\n`);
  }

  heal() {
    this.set(good);
  }

  async close() {
    if (this.#relay.exitCode !== null) throw new Error('the relay ended early');
    const closed = once(this.#relay, 'close');
    this.#relay.stdin.end();
    await closed;
  }
}
