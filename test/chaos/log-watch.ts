import type { Writable } from 'node:stream';

const keptLines = 400;

/** What no server in order says, whatever is done to it. */
const forbidden = [
  /\[Fatal\]/,
  /internal error/,
  /failed unexpectedly/,
  /could not be answered/,
  /never released/,
  /AssertionError/,
  /^\(node:\d+\)/,
  /^\s+at .*\(?(?:node:|file:)/,
];

/** Errors that the actions of the driver lead to. */
const expectedErrors = [
  /file cannot be written/,
  /stream disabled stream=(?!Steady|Tone|Swelling|Unheard)/,
  /stream left out/,
  /saved stream left out/,
  /control script/,
  /configuration/,
  /reload/,
];

/** Reads the log of the server: keeps its end, finds what must not be there, counts. */
export class LogWatch {
  readonly lines: string[] = [];
  readonly problems: string[] = [];
  /** How often each stream began a new timeline. */
  readonly resyncs = new Map<string, number>();
  /** When each of them did so last. */
  readonly resyncedAtMs = new Map<string, number>();
  /** Why streams were disabled last, by their names. */
  readonly disabled = new Map<string, string>();
  /** Announcements that have begun to play. */
  played = 0;
  count = 0;

  /** Whether the server does not get the processor that it needs. */
  isStarved = (): boolean => false;
  #copy: Writable | undefined;

  copyTo(stream: Writable): void {
    this.#copy = stream;
    for (const line of this.lines) stream.write(`${line}\n`);
  }

  take(line: string): void {
    this.#copy?.write(`${line}\n`);
    this.count += 1;
    this.lines.push(line);
    if (this.lines.length > keptLines) this.lines.shift();
    if (this.#isFault(line)) this.problems.push(`the server's log: ${line}`);
    const [, disabled, reason = ''] = /stream disabled stream=(\S+) reason=(.*)/.exec(line) ?? [];
    if (disabled) this.disabled.set(disabled, reason);
    if (/\(Announce\) announcement .*state=playing/.test(line)) this.played += 1;
    const resynced = /resync, audio came too late .*stream=(\S+)/.exec(line)?.[1];
    if (!resynced) return;
    this.resyncs.set(resynced, (this.resyncs.get(resynced) ?? 0) + 1);
    this.resyncedAtMs.set(resynced, performance.now());
  }

  #isFault(line: string): boolean {
    if (/stream disabled stream=Swelling .*cannot keep up/.test(line)) return !this.isStarved();
    if (forbidden.some((pattern) => pattern.test(line))) return true;
    return /\[Error\]/.test(line) && !expectedErrors.some((pattern) => pattern.test(line));
  }
}
