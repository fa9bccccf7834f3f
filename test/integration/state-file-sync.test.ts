import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { buildPlainModule } from '../support/plain-module.ts';

const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;
const mayBeMissing = !process.env.CI;
const calls = 'openat,fsync,fdatasync,rename,renameat,renameat2,close';

/** What a process asks the system for, in this order, while it writes `path` anew. */
function callsOfAWrite(path: string): string[] {
  const module = buildPlainModule('src/base/files/atomic-file.ts');
  onTestFinished(() => module.remove());
  const program = `(await import('${pathToFileURL(module.path)}')).writeFileAtomically(${JSON.stringify(path)}, 'new')`;
  const trace = `${path}.trace`;
  const command = ['-f', '-y', '-o', trace, '-e', `trace=${calls}`, process.execPath];
  const { status, stderr } = spawnSync(
    'strace',
    [...command, '--input-type=module', '-e', program],
    { encoding: 'utf8' },
  );
  expect([status, stderr]).toEqual([0, '']);
  return readFileSync(trace, 'utf8')
    .split('\n')
    .map((line) => line.replace(/^\d+ +/, ''));
}

describe.skipIf(!canTrace && mayBeMissing)('a file that is replaced', () => {
  it('lies on the disk before its name does, and then its name', () => {
    const folder = mkdtempSync(join(tmpdir(), 'zerocast-sync-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'server.json');
    writeFileSync(path, 'old');
    const traced = callsOfAWrite(path);
    const isSynced = (line: string, name: string) =>
      /^f(data)?sync\(\d+</.test(line) && line.includes(name);
    const file = traced.findIndex((line) => isSynced(line, '/.server.json.'));
    const renamed = traced.findIndex((line) => /^rename/.test(line) && line.includes('.tmp'));
    const named = traced.findIndex((line) => isSynced(line, `<${folder}>`));
    expect(file).toBeGreaterThan(-1);
    expect(renamed).toBeGreaterThan(file);
    expect(named).toBeGreaterThan(renamed);
    expect(readFileSync(path, 'utf8')).toBe('new');
  });
});
