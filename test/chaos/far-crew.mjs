import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { endlessRatesHz } from './streams.mjs';

const script = fileURLToPath(new URL('far-players.mjs', import.meta.url));

/** The players behind the bad network, as this side sees them. */
export class FarCrew {
  child;
  #onProblem;

  static async start({ onProblem }) {
    const child = spawn('unshare', ['--net', process.execPath, script], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    return new FarCrew(child, onProblem);
  }

  constructor(child, onProblem) {
    this.child = child;
    this.#onProblem = onProblem;
    child.on('message', ({ kind, text }) => {
      if (kind === 'problem') this.#onProblem(text);
    });
  }

  /** Resolves when the players could join. */
  async prepare({ count, host, port, build }) {
    this.child.send({ kind: 'prepare', count, host, port, build, endless: endlessRatesHz });
    await this.#answer('prepared');
  }

  join() {
    this.child.send({ kind: 'join' });
  }

  leave() {
    this.child.send({ kind: 'leave' });
  }

  stall(index, ms) {
    this.child.send({ kind: 'stall', index, ms });
  }

  async report() {
    this.child.send({ kind: 'report' });
    return this.#answer('report');
  }

  async close() {
    const exited = once(this.child, 'exit');
    this.child.disconnect();
    await exited;
  }

  #answer(kind) {
    return new Promise((resolve, reject) => {
      const onExit = () => reject(new Error('the players behind the bad network ended'));
      const listener = (message) => {
        if (message.kind !== kind) return;
        this.child.off('message', listener);
        this.child.off('exit', onExit);
        resolve(message);
      };
      this.child.on('message', listener);
      this.child.once('exit', onExit);
    });
  }
}
