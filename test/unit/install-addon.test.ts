import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerocast-install-'));
  for (const part of ['binding.gyp', 'native', 'scripts/install-addon.mjs']) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  mkdirSync(join(folder, 'build', 'Release'), { recursive: true });
  writeFileSync(join(folder, 'build', 'Release', 'zerocast.node'), 'of an older version');
});

afterEach(() => rmSync(folder, { recursive: true }));

/** What is left when the installation cannot build the addon. */
function failedInstallation(environment: Readonly<Record<string, string>> = {}): string {
  const script = join(folder, 'scripts', 'install-addon.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
  expect(status).toBe(0);
  expect(stderr).toBe('');
  expect(existsSync(join(folder, 'build', 'Release', 'zerocast.node'))).toBe(false);
  return stdout;
}

const notice = (reason: string) =>
  new RegExp(`^zerocast: native addon not built \\(${reason}\\); the JavaScript path is used\\n$`);

describe('an installation that cannot build the native addon succeeds with one line', () => {
  it('when the sources do not compile', () => {
    writeFileSync(join(folder, 'native', 'binding', 'addon.cpp'), '#error "not today"\n');
    expect(failedInstallation()).toMatch(notice('.+'));
  }, 60_000);

  it('when there is no compiler', () => {
    expect(failedInstallation({ CC: '/nonexistent/cc', CXX: '/nonexistent/c++' })).toMatch(
      notice('.+'),
    );
  }, 60_000);

  it('when the headers of Node are missing, which it does not download', () => {
    const environment = { npm_config_nodedir: join(folder, 'nowhere') };
    expect(failedInstallation(environment)).toMatch(notice('no Node headers in .*nowhere.*'));
  });

  it('when node-gyp is missing', () => {
    rmSync(join(folder, 'node_modules'));
    expect(failedInstallation()).toMatch(notice('(no Node headers|node-gyp is not installed).*'));
  });
});
