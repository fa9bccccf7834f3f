import { copyFileSync, mkdirSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { pluginScript } from './plugin-rig.ts';
import { until } from './waiting.ts';

/** Speaks through the control script `plug-ins/puppet.mjs` in a folder of a test. */
export class Puppeteer {
  /** The lines that the script was told, over all its lives. */
  readonly texts: string[] = [];
  readonly #server: Server;
  #socket: Socket | undefined;

  static open(folder: string): Puppeteer {
    mkdirSync(join(folder, 'plug-ins'));
    copyFileSync(pluginScript('puppet.mjs'), join(folder, 'plug-ins/puppet.mjs'));
    return new Puppeteer(join(folder, 'puppet.sock'));
  }

  private constructor(path: string) {
    this.#server = createServer((socket) => this.#onScript(socket)).listen(path);
  }

  /** Resolves when the script has started, or has started again. */
  async comes(): Promise<void> {
    await until(() => this.#socket !== undefined, 'the control script has started');
  }

  say(line: string): void {
    if (!this.#socket) throw new Error('there is no control script to speak');
    this.#socket.write(`${line}\n`);
  }

  /** Makes the script end. */
  exit(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  close(): void {
    this.exit();
    this.#server.close();
  }

  #onScript(socket: Socket): void {
    let rest = '';
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('data', (data: Buffer) => {
      const lines = `${rest}${data.toString()}`.split('\n');
      rest = lines.pop() ?? '';
      this.texts.push(...lines);
    });
  }
}
