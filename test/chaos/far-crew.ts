import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What the players behind the bad network are told to do. */
export type Order =
  | {
      readonly kind: 'prepare';
      readonly count: number;
      readonly host: string;
      readonly port: number;
    }
  | { readonly kind: 'join' | 'leave' | 'report' }
  | { readonly kind: 'stall'; readonly index: number; readonly ms: number };

/** What they say. */
export type FarMessage =
  | { readonly kind: 'problem'; readonly text: string }
  | { readonly kind: 'prepared' }
  | { readonly kind: 'report'; readonly chunks: number };

const script = fileURLToPath(new URL('far-players.ts', import.meta.url));

/** The players behind the bad network, as this side sees them. */
export class FarCrew {
  readonly child: ChildProcess;

  constructor(onProblem: (text: string) => void) {
    const command = ['--net', process.execPath, ...process.execArgv, script];
    this.child = spawn('unshare', command, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.child.on('message', (message: FarMessage) => {
      if (message.kind === 'problem') onProblem(message.text);
    });
  }

  /** Resolves when the players could join. */
  async prepare(place: Omit<Order & { kind: 'prepare' }, 'kind'>): Promise<void> {
    this.#order({ kind: 'prepare', ...place });
    await this.#answer('prepared');
  }

  join(): void {
    this.#order({ kind: 'join' });
  }

  leave(): void {
    this.#order({ kind: 'leave' });
  }

  stall(index: number, ms: number): void {
    this.#order({ kind: 'stall', index, ms });
  }

  /** How many chunks they have heard. */
  async chunks(): Promise<number> {
    this.#order({ kind: 'report' });
    const report = await this.#answer('report');
    return report.kind === 'report' ? report.chunks : 0;
  }

  async close(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.disconnect();
    await exited;
  }

  #order(order: Order): void {
    this.child.send(order);
  }

  #answer(kind: FarMessage['kind']): Promise<FarMessage> {
    return new Promise((resolve, reject) => {
      const onExit = () => reject(new Error('the players behind the bad network ended'));
      const listener = (message: FarMessage) => {
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
