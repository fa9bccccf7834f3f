import { type ProcessProgram, programOf } from '../base/files/process-holder.ts';
import type { SystemFiles } from './system-files.ts';

/** A process, as far as the user of this program may see it. */
export interface ProcessFacts extends ProcessProgram {
  readonly pid: number;
  readonly parentPid: number;
  readonly uid: number;
}

/** State of a TCP socket that listens. Source: Linux, include/net/tcp_states.h. */
const listening = '0A';
/** Access mode in the flags of a descriptor. Source: open(2). */
const accessMode = 0o3;
const readOnly = 0;
const writeOnly = 1;

/** Who runs on this machine and what they have open. Source: proc(5). */
export class ProcessTable {
  readonly #files: SystemFiles;

  constructor(files: SystemFiles) {
    this.#files = files;
  }

  get all(): readonly ProcessFacts[] {
    return this.#pids().flatMap((pid) => this.#factsOf(pid) ?? []);
  }

  /** Audio servers that run, without this process. */
  get servers(): readonly ProcessFacts[] {
    return this.all.filter(({ pid, server }) => server !== undefined && pid !== process.pid);
  }

  /**
   * The process that listens on a port of this machine. Only root sees the descriptors of other
   * users: without it a server of the user who owns the socket counts.
   */
  listenerOn(port: number, kind: 'tcp' | 'udp' = 'tcp'): ProcessFacts | undefined {
    const sockets = this.#socketsOn(port, kind);
    if (sockets.length === 0) return undefined;
    const links = new Set(sockets.map(({ inode }) => `socket:[${inode}]`));
    const pid = this.#pids().find((one) => this.#linksOf(one).some(([, link]) => links.has(link)));
    if (pid !== undefined) return this.#factsOf(pid);
    return this.servers.find(({ uid }) => sockets.some((socket) => socket.uid === uid));
  }

  /** The processes that have the fifo open, without this one. */
  usersOfFifo(path: string): readonly (ProcessFacts & { reads: boolean; writes: boolean })[] {
    return this.#pids().flatMap((pid) => {
      if (pid === process.pid) return [];
      const modes = this.#linksOf(pid)
        .filter(([, link]) => link === path)
        .map(([descriptor]) => this.#accessModeOf(pid, descriptor));
      const facts = modes.length > 0 ? this.#factsOf(pid) : undefined;
      if (!facts) return [];
      const reads = modes.some((mode) => mode !== writeOnly);
      return [{ ...facts, reads, writes: modes.some((mode) => mode !== readOnly) }];
    });
  }

  #pids(): readonly number[] {
    return this.#files
      .entries('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  }

  #factsOf(pid: number): ProcessFacts | undefined {
    const text = this.#files.text(`/proc/${pid}/cmdline`);
    const comm = this.#files.text(`/proc/${pid}/comm`);
    if (text === undefined || comm === undefined) return undefined;
    const status = this.#files.text(`/proc/${pid}/status`) ?? '';
    const [, parentPid = '0'] = /^PPid:\s+(\d+)/m.exec(status) ?? [];
    const [, uid = '-1'] = /^Uid:\s+(\d+)/m.exec(status) ?? [];
    const folder = this.#files.linkTarget(`/proc/${pid}/cwd`);
    const program = programOf({ argv: text.split('\0'), folder, usualName: comm });
    return { pid, parentPid: Number(parentPid), uid: Number(uid), ...program };
  }

  #linksOf(pid: number): readonly (readonly [descriptor: string, link: string])[] {
    const folder = `/proc/${pid}/fd`;
    return this.#files
      .entries(folder)
      .map((name) => [name, this.#files.linkTarget(`${folder}/${name}`) ?? ''] as const);
  }

  #accessModeOf(pid: number, descriptor: string): number {
    const text = this.#files.text(`/proc/${pid}/fdinfo/${descriptor}`) ?? '';
    const [, flags = '0'] = /^flags:\s+([0-7]+)/m.exec(text) ?? [];
    return Number.parseInt(flags, 8) & accessMode;
  }

  #socketsOn(port: number, kind: 'tcp' | 'udp'): { inode: string; uid: number }[] {
    const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
    const tables = [`/proc/net/${kind}`, `/proc/net/${kind}6`];
    const lines = tables.flatMap((table) => (this.#files.text(table) ?? '').split('\n').slice(1));
    return lines.flatMap((line) => {
      const [, local = '', , state, , , , uid, , inode = ''] = line.trim().split(/\s+/);
      const isWanted = local.endsWith(`:${hexPort}`) && (kind === 'udp' || state === listening);
      return isWanted ? [{ inode, uid: Number(uid) }] : [];
    });
  }
}

export function describeProcess({ name, pid }: ProcessFacts): string {
  return `${name} (process ${pid})`;
}
