import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Application } from '../../src/app/application.ts';
import type { ReloadReport } from '../../src/app/config-reload.ts';
import type { Config } from '../../src/config/config.ts';
import { readAgainFromDisk } from '../../src/config/config-file.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { option } from './config-text.ts';
import { scratchFolder } from './fifo.ts';
import { LogLines } from './log-lines.ts';

/** On the command line of each server: what the file says of these counts for nothing. */
const fixed = [
  ['tcp-streaming.bind_to_address', '127.0.0.1'],
  ['http.bind_to_address', '127.0.0.1'],
  ['tcp-control.bind_to_address', '127.0.0.1'],
] as const;

const freePorts = `
[server]
mdns_enabled = false
[http]
port = 0
[tcp-streaming]
port = 0
[tcp-control]
port = 0
`;

export interface ReloadRigOptions {
  readonly configureLog?: (logging: Config['logging']) => void;
}

/** A real server with a configuration file that tests write anew. */
export class ReloadRig {
  readonly folder: string;
  readonly file: string;
  readonly log: LogLines;
  readonly application: Application;
  readonly #remove: () => void;

  /** Starts with `text`, to which free ports are added. */
  static async start(text: string, { configureLog }: ReloadRigOptions = {}): Promise<ReloadRig> {
    const { path: folder, remove } = scratchFolder();
    const file = join(folder, 'zerocast.conf');
    const log = new LogLines();
    writeFileSync(file, withPorts(text));
    const overrides = fixed.map(([name, value]) => option(name, value));
    const load = (again?: string) =>
      loadConfig({ file: again ?? file, overrides, ...(again && { readFile: readAgainFromDisk }) });
    const { config, origins, warnings } = load();
    const application = await Application.start({
      config,
      origins,
      logger: log,
      verifySeals: true,
      reload: { load, file, warnings, ...(configureLog && { configureLog }) },
    });
    return new ReloadRig({ folder, file, log, application, remove });
  }

  private constructor(parts: {
    readonly folder: string;
    readonly file: string;
    readonly log: LogLines;
    readonly application: Application;
    readonly remove: () => void;
  }) {
    this.folder = parts.folder;
    this.file = parts.file;
    this.log = parts.log;
    this.application = parts.application;
    this.#remove = parts.remove;
  }

  /** The streams in their order. */
  get streams(): string[] {
    return [...this.application.streams.channels.keys()];
  }

  write(text: string): void {
    writeFileSync(this.file, withPorts(text));
  }

  /** Reads `text` as the new configuration. */
  async reload(text: string): Promise<ReloadReport> {
    this.write(text);
    return this.application.reload();
  }

  async close(): Promise<void> {
    await this.application.close();
    this.#remove();
    expect(this.application.pool.isFull).toBe(true);
  }
}

/** What stands in the text comes later, and so it counts. */
function withPorts(text: string): string {
  return `${freePorts}${text}`;
}

/** The section [stream] with these sources. */
export function sources(...addresses: readonly string[]): string {
  return `[stream]\n${addresses.map((address) => `source = ${address}`).join('\n')}\n`;
}
