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
  lines = [];
  problems = [];
  /** Stream names, one for each time that a stream began a new timeline. */
  resyncs = new Map();
  /** When each of them did so last. */
  resyncedAtMs = new Map();
  /** Why streams were disabled last, by their names. */
  disabled = new Map();
  count = 0;

  /** Whether the server does not get the processor that it needs. */
  isStarved = () => false;
  #copy;

  copyTo(stream) {
    this.#copy = stream;
    for (const line of this.lines) stream.write(`${line}\n`);
  }

  take(line) {
    this.#copy?.write(`${line}\n`);
    this.count += 1;
    this.lines.push(line);
    if (this.lines.length > keptLines) this.lines.shift();
    if (this.#isFault(line)) this.problems.push(`the server's log: ${line}`);
    const [, disabled, reason] = /stream disabled stream=(\S+) reason=(.*)/.exec(line) ?? [];
    if (disabled) this.disabled.set(disabled, reason);
    const resynced = /resync, audio came too late .*stream=(\S+)/.exec(line)?.[1];
    if (!resynced) return;
    this.resyncs.set(resynced, (this.resyncs.get(resynced) ?? 0) + 1);
    this.resyncedAtMs.set(resynced, performance.now());
  }

  has(pattern) {
    return this.lines.some((line) => pattern.test(line));
  }

  #isFault(line) {
    if (/stream disabled stream=Swelling .*cannot keep up/.test(line)) return !this.isStarved();
    if (forbidden.some((pattern) => pattern.test(line))) return true;
    return /\[Error\]/.test(line) && !expectedErrors.some((pattern) => pattern.test(line));
  }
}
