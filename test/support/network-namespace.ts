import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { OutputLog } from './output-log.ts';

/** Namespaces and pairs of network devices need root. */
export const namespacesAreOff = process.getuid?.() !== 0 && process.env.CI !== 'true';

const peersProgram = fileURLToPath(new URL('far-peers.mjs', import.meta.url));

/** A peer of a server that connects from over there; see far-peers.mjs. */
export interface FarPeer {
  readonly name: string;
  readonly port: number;
  /** Said right after the connection; in one frame on a WebSocket. */
  readonly say?: Buffer;
  /** Said every second, with the time then: a Time request. */
  readonly ask?: Buffer;
  /** The path of a WebSocket; absent for plain TCP. */
  readonly webSocket?: string;
  readonly reads?: boolean;
}

/** Several tests may have one at the same time, and one process several. */
let made = 0;

/** Another machine, as far as the network is concerned: a namespace behind a cable of its own. */
export class NetworkNamespace {
  /** This side of the cable, and the other. */
  readonly here: string;
  readonly there: string;
  readonly name: string;
  /** Of this side and the other. */
  readonly devices: readonly [string, string];
  readonly #children: ChildProcess[] = [];

  /** Of two TUN devices the caller has to make a cable, and to `configure` them then. */
  constructor(cable: 'veth' | 'tun' = 'veth') {
    made += 1;
    // Names of devices have at most 15 characters.
    this.name = `zc${process.pid % 1_000_000}n${made}`;
    const net = `10.${200 + (made % 50)}.${process.pid % 250}`;
    this.here = `${net}.1`;
    this.there = `${net}.2`;
    this.devices = [`${this.name}a`, `${this.name}b`];
    const [outer, inner] = this.devices;
    ip('netns', 'add', this.name);
    if (cable === 'veth') {
      ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', this.name);
      this.configure();
    } else for (const device of this.devices) ip('tuntap', 'add', 'dev', device, 'mode', 'tun');
  }

  protected configure(): void {
    const [outer, inner] = this.devices;
    ip('addr', 'add', `${this.here}/30`, 'dev', outer);
    ip('link', 'set', outer, 'up');
    ip('-n', this.name, 'addr', 'add', `${this.there}/30`, 'dev', inner);
    ip('-n', this.name, 'link', 'set', inner, 'up');
  }

  /** Pulls the cable out: neither side is told a word. */
  cut(): void {
    ip('-n', this.name, 'link', 'set', this.devices[1], 'down');
  }

  fix(): void {
    ip('-n', this.name, 'link', 'set', this.devices[1], 'up');
  }

  /** Stops all programs over there, whose machine goes on, or lets them go on. */
  freeze(isFrozen: boolean): void {
    for (const child of this.#children) child.kill(isFrozen ? 'SIGSTOP' : 'SIGCONT');
  }

  /** Runs a piece of JavaScript there, until `close`; returns what it prints. */
  run(script: string): OutputLog {
    return this.#start(['-e', script]);
  }

  /** Starts peers over there, until `close`; resolves when all are connected. */
  async connect(peers: readonly FarPeer[]): Promise<void> {
    const host = this.here;
    const orders = peers.map((peer) => ({
      ...peer,
      host,
      say: peer.say?.toString('base64'),
      ask: peer.ask?.toString('base64'),
    }));
    const log = this.#start([peersProgram, JSON.stringify(orders)]);
    for (const { name } of peers) await log.waitFor(new RegExp(`^connected ${name}$`, 'm'));
  }

  async close(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    ip('link', 'del', this.devices[0]);
    ip('netns', 'del', this.name);
  }

  #start(args: readonly string[]): OutputLog {
    const command = ['netns', 'exec', this.name, process.execPath, ...args];
    const child = spawn('ip', command, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.push(child);
    return new OutputLog('the program in the namespace', child);
  }
}

export function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' });
}
