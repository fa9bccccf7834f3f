import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { platformTag, prebuiltPath } from '../../../../src/base/native/addon-files.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerocast-platform-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

/** The first bytes of a program that needs this loader. */
function programWith(loader: string): string {
  const file = join(folder, 'node');
  writeFileSync(file, `\x7fELF${'\0'.repeat(700)}${loader}\0`);
  return file;
}

describe('the folder of a prebuilt addon', () => {
  it('is named after system and processor', () => {
    const execPath = programWith('/lib64/ld-linux-x86-64.so.2');
    expect(platformTag({ platform: 'linux', arch: 'x64', execPath })).toBe('linux-x64');
    expect(platformTag({ platform: 'darwin', arch: 'arm64', execPath })).toBe('darwin-arm64');
  });

  it('is another one where Node was built for musl', () => {
    const execPath = programWith('/lib/ld-musl-aarch64.so.1');
    expect(platformTag({ platform: 'linux', arch: 'arm64', execPath })).toBe('linux-arm64-musl');
  });

  it('is that of glibc when the program cannot be read', () => {
    const execPath = join(folder, 'nowhere');
    expect(platformTag({ platform: 'linux', arch: 'arm64', execPath })).toBe('linux-arm64');
  });

  it('is the one of this process by default', () => {
    expect(prebuiltPath()).toContain(`/${process.platform}-${process.arch}`);
  });
});
