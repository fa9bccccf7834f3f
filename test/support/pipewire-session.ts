import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { SampleFormat } from '../../src/audio/sample-format.ts';
import { wavFileOf } from './pcm-fixtures.ts';
import { SideProgram } from './side-program.ts';
import { until } from './waiting.ts';

const programs = ['pipewire', 'wireplumber', 'dbus-run-session', 'pw-cli', 'pw-record', 'pw-play'];

/** True when PipeWire is not installed; under CI that is a failure, not a reason to skip. */
export const pipeWireIsMissing =
  !process.env.CI &&
  programs.some((program) => spawnSync('which', [program], { stdio: 'ignore' }).status !== 0);

const looks = 250;
const lookMs = 100;

/** PipeWire and its session manager in a runtime folder of their own, without any sound card. */
export class PipeWireSession {
  /** Holds the socket. */
  readonly folder = mkdtempSync(join(tmpdir(), 'zerocast-pipewire-'));
  readonly #environment: NodeJS.ProcessEnv;
  readonly #players = new Set<SideProgram>();
  #servers: SideProgram[] = [];
  #files = 0;

  constructor() {
    const { DBUS_SESSION_BUS_ADDRESS: _, DISPLAY: __, ...inherited } = process.env;
    const { folder } = this;
    const own = { XDG_RUNTIME_DIR: folder, PIPEWIRE_RUNTIME_DIR: folder, HOME: folder };
    this.#environment = { ...inherited, ...own };
  }

  /** Resolves when streams can be linked. */
  async start(): Promise<this> {
    const socket = join(this.folder, 'pipewire-0');
    const server = new SideProgram(['pipewire'], this.#environment);
    this.#servers = [server];
    await until(() => existsSync(socket), 'PipeWire listens');
    const manager = ['dbus-run-session', '--', 'wireplumber'];
    this.#servers.push(new SideProgram(manager, this.#environment));
    await this.#until('the session manager is there', async () =>
      (await this.#list('Metadata')).includes('metadata.name = "default"'),
    );
    return this;
  }

  /** Ends the servers; `start` begins anew, without the sinks. */
  async stop(): Promise<void> {
    // The session manager takes its time to end by itself.
    await Promise.all(
      this.#servers.map((server, at) => server.stop(at === 0 ? 'SIGTERM' : 'SIGKILL')),
    );
    this.#servers = [];
  }

  /** A sink that plays into nothing, in real time. */
  async createSink(name: string): Promise<void> {
    const properties = [
      'factory.name=support.null-audio-sink',
      `node.name=${name}`,
      'media.class=Audio/Sink',
      'object.linger=true',
      'audio.position=[FL FR]',
      'monitor.channel-volumes=true',
    ];
    await this.#cli('create-node', 'adapter', `{ ${properties.join(' ')} }`);
    await this.hasNode(name);
  }

  async removeNode(name: string): Promise<void> {
    await this.#cli('destroy', name);
  }

  /** Resolves when there is a node of that name. */
  async hasNode(name: string): Promise<void> {
    await this.#until(`there is a node ${name}`, async () => (await this.nodes()).has(name));
  }

  /** The text about each node, by its name. */
  async nodes(): Promise<ReadonlyMap<string, string>> {
    const texts = (await this.#list('Node')).split(/^\tid /m).slice(1);
    return new Map(texts.map((text) => [/node\.name = "(.*?)"$/ms.exec(text)?.[1] ?? '', text]));
  }

  /** Plays PCM to a node, in the containers of the wire; `name` is that of the player's own node. */
  play(
    pcm: Uint8Array,
    { format, target, name = 'player' }: { format: SampleFormat; target: string; name?: string },
  ): SideProgram {
    this.#files += 1;
    const file = join(this.folder, `${this.#files}.wav`);
    writeFileSync(file, wavFileOf(pcm, format));
    const properties = `{ node.name="${name}" }`;
    const command = ['pw-play', '-P', properties, '--target', target, file];
    const player = new SideProgram(command, this.#environment);
    this.#players.add(player);
    return player;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#players].map((player) => player.stop()));
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #list(kind: string): Promise<string> {
    return this.#cli('ls', kind);
  }

  async #cli(...words: readonly string[]): Promise<string> {
    const env = this.#environment;
    const { stdout } = await promisify(execFile)('pw-cli', [...words], { env });
    return stdout;
  }

  async #until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    for (let look = 0; look < looks; look += 1) {
      if (await isSo().catch(() => false)) return;
      await setTimeout(lookMs);
    }
    throw new Error(
      `waited in vain until ${what}:\n${this.#servers.map(({ log }) => log.text).join('')}`,
    );
  }
}
