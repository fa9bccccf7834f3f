import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { SampleFormat } from '../../src/audio/sample-format.ts';
import { wavFileOf } from './pcm-fixtures.ts';
import { SideProgram } from './side-program.ts';

const programs = ['jackd', 'jack-stdout', 'jack-play', 'jack_lsp', 'jack_connect'];

/** True when JACK is not installed; under CI that is a failure, not a reason to skip. */
export const jackIsMissing =
  !process.env.CI &&
  programs.some((program) => spawnSync('which', [program], { stdio: 'ignore' }).status !== 0);

const looks = 250;
const lookMs = 100;
/** Where JACK keeps its sockets and memory, whatever it is told. */
const sharedMemory = '/dev/shm';

let made = 0;

/** A JACK server with a name of its own, which runs in real time without any sound card. */
export class JackServer {
  readonly name: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'zerocast-jack-'));
  readonly #environment: NodeJS.ProcessEnv;
  readonly #players = new Set<SideProgram>();
  #server: SideProgram | undefined;
  #files = 0;

  constructor() {
    made += 1;
    this.name = `zc${process.pid}n${made}`;
    this.#environment = {
      ...process.env,
      JACK_NO_AUDIO_RESERVATION: '1',
      JACK_NO_START_SERVER: '1',
      JACK_DEFAULT_SERVER: this.name,
    };
  }

  /** Resolves when clients can connect. */
  async start({ rateHz = 48_000, periodFrames = 960 } = {}): Promise<this> {
    const driver = ['-d', 'dummy', '-r', `${rateHz}`, '-p', `${periodFrames}`];
    const command = ['jackd', '-n', this.name, '-r', ...driver, '-C', '2', '-P', '2'];
    this.#server = new SideProgram(command, this.#environment);
    await this.#until('JACK is there', async () => (await this.ports()).length >= 4);
    return this;
  }

  /** Ends the server; `start` begins anew. */
  async stop(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
  }

  /** Names of all ports. */
  async ports(): Promise<readonly string[]> {
    return (await this.#run('jack_lsp')).split('\n').filter(Boolean);
  }

  /** The ports that `port` is connected to. */
  async connectionsOf(port: string): Promise<readonly string[]> {
    const lines = (await this.#run('jack_lsp', '-c')).split('\n');
    const after = lines.slice(lines.indexOf(port) + 1);
    const end = after.findIndex((line) => !line.startsWith(' '));
    return after.slice(0, end).map((line) => line.trim());
  }

  async connect(from: string, to: string): Promise<void> {
    await this.#run('jack_connect', from, to);
  }

  async disconnect(from: string, to: string): Promise<void> {
    await this.#run('jack_disconnect', from, to);
  }

  /** Plays PCM in the containers of the wire, from ports `out_1`, … of the client that it resolves with. */
  async play(
    pcm: Uint8Array,
    format: SampleFormat,
  ): Promise<{ client: string; program: SideProgram }> {
    this.#files += 1;
    const file = join(this.#folder, `${this.#files}.wav`);
    writeFileSync(file, wavFileOf(pcm, format));
    const program = new SideProgram(['jack-play', file], this.#environment);
    this.#players.add(program);
    const client = `jack-play-${program.pid}`;
    await this.#until('the player is there', async () =>
      (await this.ports()).includes(`${client}:out_1`),
    );
    return { client, program };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#players].map((player) => player.stop()));
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
    // It leaves behind what clients had that did not say goodbye.
    for (const file of readdirSync(sharedMemory)) {
      if (file.includes(`_${this.name}_`)) rmSync(join(sharedMemory, file), { force: true });
    }
  }

  async #run(program: string, ...words: readonly string[]): Promise<string> {
    const env = this.#environment;
    const { stdout } = await promisify(execFile)(program, [...words], { env });
    return stdout;
  }

  async #until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    for (let look = 0; look < looks; look += 1) {
      if (await isSo().catch(() => false)) return;
      await setTimeout(lookMs);
    }
    throw new Error(`waited in vain until ${what}:\n${this.#server?.log.text}`);
  }
}
