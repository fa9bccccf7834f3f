import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readResidentKiB } from '../bench/process-figures.ts';
import { withoutSystemLibflac } from '../support/flac-libraries.ts';
import { type Ending, ServerProcess } from '../support/server-process.ts';
import { LogWatch } from './log-watch.ts';
import type { FlacLibrary } from './options.ts';
import type { Places } from './places.ts';

/** The server under test, its log and its processes. */
export class Server {
  readonly log = new LogWatch();
  readonly #process: ServerProcess;

  constructor({
    main,
    places,
    descriptors,
    hasAddon,
    flacLibrary,
  }: {
    readonly main: string;
    readonly places: Places;
    /** The most that it may have open. */
    readonly descriptors: number;
    readonly hasAddon: boolean;
    readonly flacLibrary: FlacLibrary;
  }) {
    this.#process = new ServerProcess({
      command: [process.execPath, main, '-c', places.configFile],
      streamPort: places.streamPort,
      descriptors,
      environment: {
        ...(!hasAddon && { ZEROCAST_NATIVE: 'off' }),
        ...(flacLibrary === 'libflacjs' && withoutSystemLibflac(places.noLibraries)),
      },
    });
    this.#process.log.onLine((line) => this.log.take(line));
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Absent while it runs. */
  get ending(): Ending | undefined {
    return this.#process.ending;
  }

  signal(name: NodeJS.Signals): void {
    if (!this.ending) this.#process.signal(name);
  }

  /** Resolves with how it ended; a server that stays is killed. */
  stop(): Promise<Ending> {
    this.signal('SIGTERM');
    return this.#process.ended();
  }

  /** Open descriptors by what they are: `{ socket: 12, '/dev/null': 1, … }`. */
  descriptors(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    const folder = `/proc/${this.pid}/fd`;
    for (const fd of readdirSync(folder)) {
      const kind = linkOf(`${folder}/${fd}`)?.replace(/:\[\d+\]$/, '');
      if (kind !== undefined) counts[kind] = (counts[kind] ?? 0) + 1;
    }
    return counts;
  }

  residentMiB(): number {
    return readResidentKiB(this.pid) / 1024;
  }

  /** What the processes that it has started are called. */
  programs(): (string | undefined)[] {
    return this.descendants().map(nameOf);
  }

  /** All processes that the server has started, directly or not, in the order of their numbers. */
  descendants(): number[] {
    const parents = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => [Number(pid), parentOf(pid)] as const);
    const found = new Set([this.pid]);
    for (const [pid, parent] of parents.sort(([a], [b]) => a - b)) {
      if (parent !== undefined && found.has(parent)) found.add(pid);
    }
    found.delete(this.pid);
    return [...found];
  }
}

function nameOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return undefined; // ended since it was listed
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // closed since it was listed
  }
}

function parentOf(pid: string): number | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(line.slice(line.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined; // ended since it was listed
  }
}
