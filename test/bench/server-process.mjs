import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const startLimitMs = 15_000;
const stopLimitMs = 10_000;
const keptOutputLines = 20;

/** A port that was free a moment ago. */
export async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

async function isListening(port) {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/**
 * A server under test, in its own process.
 *
 * Ownership: the caller stops it.
 */
export class ServerProcess {
  #child;
  #output = [];
  #listeners = new Set();

  /** Shape: `environment` is added to ours. */
  constructor(command, args, environment = {}) {
    const env = { ...process.env, ...environment };
    this.#child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (text) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop();
        for (const line of lines) this.#keep(line);
      });
    }
  }

  get pid() {
    return this.#child.pid;
  }

  signal(name) {
    this.#child.kill(name);
  }

  /** Failure: rejects with the server's last output when it does not listen in time. */
  async listening(port) {
    const deadlineMs = performance.now() + startLimitMs;
    while (!(await isListening(port))) {
      if (this.#hasEnded() || performance.now() > deadlineMs) {
        throw new Error(`server does not listen on ${port}:\n${this.#output.join('\n')}`);
      }
      await sleep(50);
    }
  }

  /**
   * The rest of the next line that the server writes with `prefix` in front.
   *
   * Failure: rejects when it does not come in time.
   */
  nextLine(prefix, limitMs) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(reject, new Error(`no "${prefix}" came`)), limitMs);
      const listener = (line) => {
        if (line.startsWith(prefix)) settle(resolve, line.slice(prefix.length));
      };
      const settle = (how, value) => {
        clearTimeout(timer);
        this.#listeners.delete(listener);
        how(value);
      };
      this.#listeners.add(listener);
    });
  }

  /** Failure: rejects when the server does not end by itself; it is killed then. */
  async stop() {
    if (this.#hasEnded()) throw new Error(`server died:\n${this.#output.join('\n')}`);
    const ended = once(this.#child, 'close');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopLimitMs);
    const [, signal] = await ended;
    clearTimeout(timer);
    if (signal === 'SIGKILL') throw new Error('server did not end on SIGTERM');
  }

  #hasEnded() {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #keep(line) {
    this.#output.push(line);
    if (this.#output.length > keptOutputLines) this.#output.shift();
    for (const listener of this.#listeners) listener(line);
  }
}
