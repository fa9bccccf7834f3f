import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { platformTag } from '../../../src/base/native/addon-files.ts';
import { packageVersion } from '../../../src/base/version.ts';
import { buildPlainModule } from '../../support/plain-module.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerocast-install-'));
  for (const part of ['package.json', 'binding.gyp', 'native', 'scripts/install-addon.mjs']) {
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

describe('an installation of a release with a prebuilt addon', () => {
  const prebuilt = () => join(folder, 'dist', 'prebuilt', platformTag(), 'zerocast.node');
  const noHeaders = () => ({ npm_config_nodedir: join(folder, 'nowhere') });

  /** What lies in a release: the loader, with what it imports, and the addon. */
  beforeEach(() => {
    const loader = buildPlainModule('src/base/native/native-addon.ts');
    cpSync(join(loader.path, '../../..'), join(folder, 'dist'), { recursive: true });
    loader.remove();
    mkdirSync(dirname(prebuilt()), { recursive: true });
  });

  it('takes it without building when it works', () => {
    cpSync(join(root, 'build/Release/zerocast.node'), prebuilt());
    expect(failedInstallation(noHeaders())).toBe('');
    expect(existsSync(prebuilt())).toBe(true);
  });

  it('says why it does not fit, and tries to build', () => {
    writeFileSync(prebuilt(), 'of another system');
    const reason = 'the prebuilt one: it cannot be loaded: .+; no Node headers in .+';
    expect(failedInstallation(noHeaders())).toMatch(notice(reason));
  });

  it('refuses one of another version', () => {
    cpSync(join(root, 'build/Release/zerocast.node'), prebuilt());
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, version: '99.0.0' }));
    const reason = `the prebuilt one: it was built from another version: ${packageVersion} instead of 99.0.0; .+`;
    expect(failedInstallation(noHeaders())).toMatch(notice(reason));
  });

  it('takes one away that breaks the process, as it would break the server', () => {
    writeFileSync(
      join(folder, 'dist/base/native/native-addon.js'),
      "process.kill(process.pid, 'SIGSEGV'); await new Promise(() => {});",
    );
    writeFileSync(prebuilt(), '');
    const reason = 'the prebuilt one broke the process that tried it \\(SIGSEGV\\); .+';
    expect(failedInstallation(noHeaders())).toMatch(notice(reason));
    expect(existsSync(prebuilt())).toBe(false);
  });

  it('says so when there is none for the platform', () => {
    rmSync(dirname(prebuilt()), { recursive: true });
    expect(failedInstallation(noHeaders())).toMatch(
      notice(`no prebuilt one for ${platformTag()}; no Node headers in .+`),
    );
  });

  it('builds in a tree of the sources all the same', () => {
    cpSync(join(root, 'build/Release/zerocast.node'), prebuilt());
    mkdirSync(join(folder, 'src'));
    expect(failedInstallation(noHeaders())).toMatch(notice('no Node headers in .+'));
  });
});
