import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { frameBytes, type Pattern } from './pattern.ts';

/** A window with less sound than this counts as bad. */
const leastSoundShare = 0.1;
/** One window may be bad: the client itself is late on a busy machine. */
const maxBadWindows = 3;
const maxResyncsPerWindow = 40;
/** Audio that the client holds, and its pipe. */
const maxForeignFrames = 8000;

/**
 * The real `snapclient`, whose sound comes through a pipe: it must be connected once and for all,
 * play frames of the stream and nothing else, and not correct its time without end.
 */
export class RealClient {
  readonly id: string;
  soundFrames = 0;
  readonly problems: string[] = [];
  readonly #child: ChildProcess;
  readonly #pattern: Pattern | undefined;
  readonly #lines: string[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #window = emptyWindow();
  #badWindows = 0;
  #isLeaving = false;
  #hasBegun = false;
  #hasPlayed = false;
  #isTuned = false;
  #foreign = 0;

  constructor({
    id,
    port,
    pattern,
  }: {
    readonly id: string;
    readonly port: number;
    readonly pattern: Pattern | undefined;
  }) {
    this.id = id;
    this.#pattern = pattern;
    const places = ['-h', '127.0.0.1', '-p', `${port}`, '--hostID', id];
    const outputs = ['--player', 'file:filename=stdout', '--logsink', 'stderr'];
    const child = spawn('snapclient', [...places, ...outputs], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stdout.on('data', (pcm: Buffer) => this.#hear(pcm));
    createInterface({ input: child.stderr }).on('line', (line) => this.#takeLine(line));
    this.#child.once('error', (error) => this.#fault(`cannot be started: ${error.message}`));
    this.#child.once('close', (exitCode, signal) => {
      if (!this.#isLeaving) this.#fault(`ended with ${exitCode ?? signal}`);
    });
  }

  /** From here on the client plays its stream, and nothing else. */
  begin(): void {
    this.#hasBegun = true;
    this.#window = emptyWindow();
  }

  /**
   * Looks at what was played since the last look. On a machine that does not let the server run,
   * the client may give up, as it waits for an answer for two seconds only.
   */
  endWindow(isStarved: boolean): void {
    const { frames, soundFrames, resyncs, connects } = this.#window;
    this.#window = emptyWindow();
    if (connects > 0 && this.#hasPlayed && !isStarved) this.#fault('connected once more');
    this.#hasPlayed ||= soundFrames > 0;
    const isBad = soundFrames < frames * leastSoundShare || resyncs > maxResyncsPerWindow;
    this.#badWindows = (isBad || frames === 0) && !isStarved ? this.#badWindows + 1 : 0;
    if (this.#badWindows < maxBadWindows) return;
    this.#badWindows = 0;
    this.#fault(`${soundFrames} frames of sound in ${frames}, ${resyncs} corrections of its time`);
  }

  async close(): Promise<void> {
    this.#isLeaving = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }

  #hear(data: Buffer): void {
    const pcm = this.#rest.length > 0 ? Buffer.concat([this.#rest, data]) : data;
    const end = pcm.length - (pcm.length % frameBytes);
    for (let at = 0; at < end; at += frameBytes) {
      this.#window.frames += 1;
      if (pcm.readUInt32LE(at) === 0) continue;
      this.#window.soundFrames += 1;
      this.soundFrames += 1;
      if (this.#isForeign(pcm.subarray(at, at + frameBytes))) {
        this.#fault(`a frame that the stream never had: ${pcm.toString('hex', at, at + 4)}`);
      }
    }
    this.#rest = Buffer.from(pcm.subarray(end));
  }

  /** What it held when its stream was chosen may still be heard for a moment. */
  #isForeign(frame: Buffer): boolean {
    if (!this.#hasBegun || !this.#pattern) return false;
    if (this.#pattern.locate(frame) !== undefined) {
      this.#isTuned = true;
      return false;
    }
    this.#foreign += 1;
    return this.#isTuned || this.#foreign > maxForeignFrames;
  }

  #takeLine(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > 30) this.#lines.shift();
    if (/Connected to/.test(line)) {
      this.#window.connects += 1;
    }
    if (/hard sync|pBuffer->full\(\)|pShortBuffer|pMiniBuffer/i.test(line)) {
      this.#window.resyncs += 1;
    }
  }

  #fault(text: string): void {
    if (this.problems.length > 0) return;
    this.problems.push(`snapclient ${this.id}: ${text}\n${this.#lines.join('\n')}`);
  }
}

function emptyWindow() {
  return { frames: 0, soundFrames: 0, resyncs: 0, connects: 0 };
}
