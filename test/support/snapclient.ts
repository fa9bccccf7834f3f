import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { SampleFormat } from '../../src/audio/sample-format.ts';
import { OutputLog } from './output-log.ts';
import { firstAudibleFrame } from './pcm-compare.ts';

const pollMs = 4;
const silentTailMs = 500;
const waitMs = 60_000;

/** True when the real client is not installed; under CI that is a failure, not a reason to skip. */
export const snapclientIsMissing =
  !process.env.CI && spawnSync('snapclient', ['--version']).error !== undefined;

/** Size of the growing recording at one moment. */
interface Growth {
  readonly timeMs: number;
  readonly bytes: number;
}

/**
 * The real `snapclient`, playing into a file, which holds what it played since the last codec header.
 *
 * Its file player writes in real time from the moment when the codec is known, 50 ms at once, and
 * silence as long as it has no audio.
 */
export class Snapclient {
  readonly log: OutputLog;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #file: string;
  readonly #growth: Growth[] = [];
  readonly #poll: NodeJS.Timeout;
  readonly #closed: Promise<number | null>;

  private constructor(port: number, hostId: string) {
    this.#folder = mkdtempSync(join(tmpdir(), 'zerocast-client-'));
    this.#file = join(this.#folder, 'recording.pcm');
    writeFileSync(this.#file, '');
    const player = `file:filename=${this.#file}`;
    this.#child = spawn(
      'snapclient',
      [
        '-h',
        '127.0.0.1',
        '-p',
        `${port}`,
        '--hostID',
        hostId,
        '--player',
        player,
        '--logsink',
        'stdout',
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.log = new OutputLog('snapclient', this.#child);
    this.#poll = setInterval(() => this.#noteGrowth(), pollMs);
    this.#closed = new Promise((resolve) => {
      this.#child.once('close', (exitCode) => resolve(exitCode));
    });
  }

  /** Resolves when the client knows the stream's codec and has begun to record. */
  static async start(server: {
    readonly port: number;
    readonly hostId: string;
  }): Promise<Snapclient> {
    const client = new Snapclient(server.port, server.hostId);
    try {
      await client.log.waitFor(/Connected to/);
      await client.log.waitFor(/\(Player\) Sampleformat: /);
    } catch (error) {
      await client.kill();
      throw error;
    }
    return client;
  }

  /** Resolves when the first sound is in the recording. */
  async heardSound(): Promise<void> {
    await this.#until('heard anything', (pcm) => pcm.some((byte) => byte !== 0));
  }

  /** Resolves when there was sound and then none for a while: everything was played. */
  async playedOut(format: SampleFormat): Promise<void> {
    const silentBytes = format.framesIn(silentTailMs) * format.frameBytes;
    await this.#until('played out', (pcm) => {
      const lastBytes = pcm.subarray(-silentBytes);
      return pcm.some((byte) => byte !== 0) && lastBytes.every((byte) => byte === 0);
    });
  }

  /** Ends the client and returns what it played. */
  async stop(format: SampleFormat): Promise<Recording> {
    this.#child.kill('SIGINT');
    const exitCode = await this.#closed;
    this.#noteGrowth();
    const pcm = readFileSync(this.#file);
    await this.#finish();
    if (exitCode !== 0) throw new Error(`snapclient exited with ${exitCode}:\n${this.log.text}`);
    return {
      pcm,
      connectToAudibleMs: this.#connectToAudibleMs(pcm, format),
      heardAtMs: (frame) => this.#heardAtMs(frame, format),
      log: this.log.text,
    };
  }

  /** Ends the client for good, for the clean-up of a test; harmless after `stop`. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#finish();
  }

  async #until(what: string, isSo: (pcm: Buffer) => boolean): Promise<void> {
    const deadlineMs = performance.now() + waitMs;
    while (performance.now() < deadlineMs) {
      await setTimeout(100);
      if (isSo(await readFile(this.#file))) return;
    }
    throw new Error(`snapclient had not ${what} after ${waitMs} ms:\n${this.log.text}`);
  }

  #noteGrowth(): void {
    const bytes = statSync(this.#file).size;
    // With each codec header it begins anew.
    if (bytes < (this.#growth.at(-1)?.bytes ?? 0)) this.#growth.length = 0;
    if (bytes !== (this.#growth.at(-1)?.bytes ?? 0)) {
      this.#growth.push({ timeMs: Date.now(), bytes });
    }
  }

  #connectToAudibleMs(pcm: Buffer, format: SampleFormat): number | undefined {
    const frame = firstAudibleFrame(pcm, format);
    if (frame === undefined) return undefined;
    return this.#heardAtMs(frame, format) - connectedAtMs(this.log.text);
  }

  /** A sample is heard as long after its block was written as it lies behind the block's start. */
  #heardAtMs(frame: number, format: SampleFormat): number {
    const byte = frame * format.frameBytes;
    const index = this.#growth.findIndex((growth) => growth.bytes > byte);
    const blockStart = this.#growth[index - 1]?.bytes ?? 0;
    const intoBlockMs = ((byte - blockStart) / format.frameBytes / format.rateHz) * 1000;
    return this.#growth[index]!.timeMs + intoBlockMs;
  }

  async #finish(): Promise<void> {
    await this.#closed;
    clearInterval(this.#poll);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export interface Recording {
  readonly pcm: Buffer;
  /** From the TCP connect, by the client's own log, to the first sample that is not silent. */
  readonly connectToAudibleMs: number | undefined;
  /** When a frame of the recording was heard, Unix milliseconds. */
  readonly heardAtMs: (frame: number) => number;
  readonly log: string;
}

/** Source: a line of the client, `2026-11-20 14-15-09.791 [Notice] (Connection) Connected to …`. */
function connectedAtMs(log: string): number {
  const match = /^(\S+) (\d\d)-(\d\d)-(\d\d\.\d{3}) .*\bConnected to/m.exec(log);
  if (!match) throw new Error(`snapclient did not say when it connected:\n${log}`);
  const [, date, hours, minutes, seconds] = match;
  // Without a zone the time is local, as in the log.
  return Date.parse(`${date}T${hours}:${minutes}:${seconds}`);
}
