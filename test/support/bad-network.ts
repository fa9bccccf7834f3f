import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ip, NetworkNamespace } from './network-namespace.ts';
import { OutputLog } from './output-log.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const folder = fileURLToPath(new URL('../../build/test', import.meta.url));

/** What is wrong with a cable, both ways. */
export interface Disturbance {
  readonly lossPercent?: number;
  readonly delayMs?: number;
  readonly jitterMs?: number;
  readonly kbitPerSecond?: number;
}

/** Another machine behind a cable that can be made a bad one. */
export class BadNetwork extends NetworkNamespace {
  #cable: ChildProcess | undefined;

  /** Failure: rejects without a C++ compiler, and where TUN devices are not permitted. */
  static async open(): Promise<BadNetwork> {
    await mkdir(folder, { recursive: true });
    const program = join(folder, `bad-cable-${process.pid}`);
    const args = ['-std=c++20', '-O1', join(here, 'bad-cable.cpp'), '-o', program];
    await promisify(execFile)(process.env.CXX ?? 'c++', args);
    const network = new BadNetwork('tun');
    await network.#lay(program);
    return network;
  }

  disturb(disturbance: Disturbance): void {
    const { lossPercent = 0, delayMs = 0, jitterMs = 0, kbitPerSecond = 0 } = disturbance;
    this.#cable?.stdin?.write(`${lossPercent} ${delayMs} ${jitterMs} ${kbitPerSecond}\n`);
  }

  override async close(): Promise<void> {
    const cable = this.#cable;
    if (cable && cable.exitCode === null) {
      cable.stdin?.end();
      await once(cable, 'exit');
    }
    await super.close();
  }

  async #lay(program: string): Promise<void> {
    this.#cable = spawn(program, [...this.devices], { stdio: ['pipe', 'pipe', 'pipe'] });
    await new OutputLog('the cable', this.#cable).waitFor(/^ready$/m);
    ip('link', 'set', this.devices[1], 'netns', this.name);
    this.configure();
  }
}
