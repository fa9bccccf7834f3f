import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { OutputLog } from './output-log.ts';

const program = fileURLToPath(new URL('far-peers.mjs', import.meta.url));

/** What a peer of the far network does; see far-peers.mjs. */
export interface FarPeer {
  readonly name: string;
  readonly port: number;
  /** Said right after the connection; in one frame on a WebSocket. */
  readonly say?: Buffer;
  /** The path of a WebSocket; absent for plain TCP. */
  readonly webSocket?: string;
  readonly reads?: boolean;
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

let created = 0;

/** Another machine behind a cable that a test can pull: a network namespace of its own. Needs root. */
export class FarNetwork {
  /** The address of this machine on the cable. */
  readonly host: string;
  readonly #name: string;
  readonly #children: ChildProcess[] = [];

  static isPossible(): boolean {
    return process.env.CI === 'true' || process.getuid?.() === 0;
  }

  constructor() {
    created += 1;
    this.#name = `zc${process.pid}x${created}`;
    const net = `10.${100 + (process.pid % 100)}.${created}`;
    this.host = `${net}.1`;
    const [near, far] = this.#ends;
    ip('netns', 'add', this.#name);
    ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', this.#name);
    ip('address', 'add', `${this.host}/24`, 'dev', near);
    ip('link', 'set', near, 'up');
    ip('-n', this.#name, 'address', 'add', `${net}.2/24`, 'dev', far);
    ip('-n', this.#name, 'link', 'set', far, 'up');
  }

  /** Starts peers over there; resolves when all are connected. */
  async start(peers: readonly FarPeer[]): Promise<void> {
    const { host } = this;
    const orders = peers.map((peer) => ({ ...peer, host, say: peer.say?.toString('base64') }));
    const args = ['netns', 'exec', this.#name, process.execPath, program, JSON.stringify(orders)];
    const child = spawn('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.push(child);
    const log = new OutputLog('the far peers', child);
    for (const { name } of peers) await log.waitFor(new RegExp(`^connected ${name}$`, 'm'), 20_000);
  }

  /** Pulls the cable: nobody over there can say good-bye. */
  cut(): void {
    ip('-n', this.#name, 'link', 'set', this.#ends[1], 'down');
  }

  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    ip('link', 'delete', this.#ends[0]);
    ip('netns', 'delete', this.#name);
  }

  get #ends(): readonly [string, string] {
    return [`${this.#name}n`, `${this.#name}f`];
  }
}
