import { readdirSync, readFileSync } from 'node:fs';

/** Names of the programs that this process has started, at most 15 characters of each. */
export function childPrograms(): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/stat`, 'utf8');
      } catch {
        return '';
      }
    })
    .map((stat) => /\((.*)\) \S (\d+)/s.exec(stat) ?? [])
    .filter(([, , parent]) => Number(parent) === process.pid)
    .map(([, name = '']) => name);
}
