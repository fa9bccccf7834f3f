import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { LogWatch } from './log-watch.mjs';

const stopLimitMs = 20_000;

/** The server under test, as a process of its own. */
export class Server {
  log = new LogWatch();
  ending;
  #child;

  /** Shape: `descriptors` is the most that the server may have open. */
  constructor({ main, configFile, descriptors, hasAddon }) {
    const limit = `--nofile=${descriptors}:${descriptors}`;
    this.#child = spawn('prlimit', [limit, process.execPath, main, '-c', configFile], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...(!hasAddon && { ZEROCAST_NATIVE: 'off' }) },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (text) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop();
        for (const line of lines) this.log.take(line);
      });
    }
    this.#child.once('close', (exitCode, signal) => {
      this.ending = { exitCode, signal };
    });
  }

  get pid() {
    return this.#child.pid;
  }

  signal(name) {
    if (!this.ending) this.#child.kill(name);
  }

  /** Resolves with how it ended; a server that stays is killed. */
  async stop() {
    if (!this.ending) {
      const closed = once(this.#child, 'close');
      const timer = setTimeout(() => this.signal('SIGKILL'), stopLimitMs);
      this.signal('SIGTERM');
      await closed;
      clearTimeout(timer);
    }
    return this.ending;
  }

  /** Open descriptors by what they are: `{ socket: 12, '/dev/null': 1, … }`. */
  descriptors() {
    const counts = {};
    const folder = `/proc/${this.pid}/fd`;
    for (const fd of readdirSync(folder)) {
      const kind = linkOf(`${folder}/${fd}`)?.replace(/:\[\d+\]$/, '');
      if (kind !== undefined) counts[kind] = (counts[kind] ?? 0) + 1;
    }
    return counts;
  }

  residentMiB() {
    const status = readFileSync(`/proc/${this.pid}/status`, 'latin1');
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)[1]) / 1024;
  }

  /** All processes that the server has started, directly or not, in the order of their numbers. */
  descendants() {
    const parents = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => [Number(pid), parentOf(pid)]);
    const found = new Set([this.pid]);
    for (const [pid, parent] of parents.sort(([a], [b]) => a - b)) {
      if (found.has(parent)) found.add(pid);
    }
    found.delete(this.pid);
    return [...found];
  }
}

function linkOf(path) {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // closed since it was listed
  }
}

function parentOf(pid) {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(line.slice(line.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined; // ended since it was listed
  }
}
