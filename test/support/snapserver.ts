import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, ServerProcess } from './server-process.ts';

/** True when the original is not installed; under CI that is a failure, not a reason to skip. */
export const snapserverIsMissing =
  !process.env.CI && spawnSync('snapserver', ['--version']).error !== undefined;

/** The original `snapserver` of this machine, with these streams, to compare ours with. */
export class Snapserver {
  readonly streamPort: number;
  /** JSON-RPC by TCP. */
  readonly controlPort: number;
  readonly #process: ServerProcess;
  readonly #folder: string;

  private constructor(ports: Pick<Snapserver, 'streamPort' | 'controlPort'>, lines: string[]) {
    this.streamPort = ports.streamPort;
    this.controlPort = ports.controlPort;
    this.#folder = mkdtempSync(join(tmpdir(), 'zerocast-snapserver-'));
    const config = join(this.#folder, 'snapserver.conf');
    writeFileSync(config, lines.join('\n'));
    this.#process = new ServerProcess({
      command: ['snapserver', '-c', config, `--server.datadir=${this.#folder}`],
      streamPort: this.streamPort,
      // Killed, it leaves the programs of its streams running.
      isGroup: true,
    });
  }

  /**
   * Resolves when players and controllers can come.
   *
   * @param settings further lines of the section `[stream]`.
   */
  static async start(
    sources: readonly string[],
    settings: readonly string[] = [],
  ): Promise<Snapserver> {
    const [streamPort, controlPort] = [await freePort(), await freePort()];
    const here = 'bind_to_address = 127.0.0.1';
    const server = new Snapserver({ streamPort, controlPort }, [
      ...['[http]', 'enabled = false', '[logging]', 'sink = stdout'],
      // The names of the sections before 0.32, and those since then.
      ...['[tcp]', here, `port = ${controlPort}`, '[tcp-control]', here, `port = ${controlPort}`],
      ...['[tcp-streaming]', here, `port = ${streamPort}`],
      ...['[stream]', here, `port = ${streamPort}`, ...settings],
      ...sources.map((source) => `source = ${source}`),
      '',
    ]);
    try {
      await server.#process.listening();
      await server.#process.listening(controlPort);
    } catch (error) {
      await server.kill();
      throw error;
    }
    return server;
  }

  get log(): ServerProcess['log'] {
    return this.#process.log;
  }

  /** Ends it, and takes away its folder. */
  async kill(): Promise<void> {
    await this.#process.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
