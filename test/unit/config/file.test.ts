import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maxConfigBytes } from '../../../src/config/config-file.ts';
import { defaultSearchPaths, loadConfig } from '../../../src/config/load-config.ts';
import { faultsOf, loadText } from '../../support/config-text.ts';

describe('the file', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'zerocast-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is the first of the search paths that is there', () => {
    const path = join(folder, 'second.conf');
    writeFileSync(path, '[stream]\nbuffer = 321\n');
    const searchPaths = [join(folder, 'no.conf'), join(path, 'no.conf'), path, '/dev/zero'];
    const { config, file } = loadConfig({ searchPaths });
    expect(file).toBe(path);
    expect(config.stream.buffer).toBe(321);
  });

  it('is searched for under our own name first, then under that of snapserver', () => {
    expect(defaultSearchPaths).toEqual(['/etc/zerocast.conf', '/etc/snapserver.conf']);
  });

  it('must be there when it was asked for', () => {
    const file = join(folder, 'no.conf');
    expect(faultsOf(() => loadConfig({ file }))).toMatch(/no.conf: .* cannot be read: ENOENT/);
  });

  it('must be readable when it is there', () => {
    const path = join(folder, 'folder.conf');
    mkdirSync(path);
    expect(faultsOf(() => loadConfig({ searchPaths: [path] }))).toMatch(/cannot be read: EISDIR/);
  });

  it('must not be longer than the limit, without being read to the end', () => {
    const message = faultsOf(() => loadConfig({ file: '/dev/zero' }));
    expect(message).toContain(`the file is too long; allowed: ${maxConfigBytes} bytes`);
    const longest = `#${'x'.repeat(maxConfigBytes - 1)}`;
    expect(loadText(longest).warnings).toEqual([]);
  });

  it('must be text', () => {
    expect(faultsOf(() => loadText('[stream]\n\0'))).toMatch(/the file is binary: it has NUL/);
    const garbage = Uint8Array.from({ length: 5000 }, (_, index) => ((index * 7919) % 255) + 1);
    expect(faultsOf(() => loadText(garbage))).toMatch(/line \d+: this line is no text/);
    const latin1 = Buffer.from('# K\xfcche\n[stream]\nsource = pipe:///x?name=K\xfcche', 'latin1');
    expect(faultsOf(() => loadText(latin1))).toMatch(/a fault:\n.*line 3: .* is no text.*UTF-8/);
  });

  it('does not make a message without end', () => {
    const message = faultsOf(() =>
      loadText(`[stream]\n${`buffer = ${'x'.repeat(900)}\n`.repeat(999)}`),
    );
    expect(message).toContain('and 949 more faults');
    expect(message.length).toBeLessThan(20_000);
  });
});
