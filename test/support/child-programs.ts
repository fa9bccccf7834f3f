import { readdirSync, readFileSync } from 'node:fs';

/** Names of the programs that this process has started, at most 15 characters of each. */
export function childPrograms(): string[] {
  return children().map(({ name }) => name);
}

/** The process ids of those of one name. */
export function childrenCalled(wanted: string): number[] {
  return children().flatMap(({ pid, name }) => (name === wanted ? [pid] : []));
}

function children(): { readonly pid: number; readonly name: string }[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/stat`, 'utf8');
      } catch {
        return '';
      }
    })
    .map((stat) => /^(\d+) \((.*)\) \S (\d+)/s.exec(stat) ?? [])
    .filter(([, , , parent]) => Number(parent) === process.pid)
    .map(([, pid, name = '']) => ({ pid: Number(pid), name }));
}
