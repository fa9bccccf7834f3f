// Builds the native addon for a release, into dist/prebuilt, and says which system it needs.
//
//   node scripts/prebuild-addon.mjs [--arch x64|arm64]... [--if-possible]
//     --arch           for another processor than that of this machine: needs its cross compiler,
//                      on Debian the packages g++-aarch64-linux-gnu and g++-x86-64-linux-gnu
//     --if-possible    a machine that cannot build makes an archive without the addon, with a
//                      warning

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** The names that Debian gives to compilers, by the names that Node gives to processors. */
const toolPrefixes = { x64: 'x86_64-linux-gnu-', arm64: 'aarch64-linux-gnu-' };

/**
 * The oldest glibc that an addon of a release may need: that of the oldest systems on which Node's
 * own programs run (Node's BUILDING.md, "Platform list"). A newer one would take machines away.
 */
const newestGlibc = [2, 28];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values: options } = parseArgs({
  options: {
    arch: { type: 'string', multiple: true, default: [process.arch] },
    'if-possible': { type: 'boolean', default: false },
  },
});

for (const arch of new Set(options.arch)) {
  try {
    prebuild(arch);
  } catch (error) {
    console.error(`prebuild-addon: no addon for ${arch}: ${error.message}`);
    if (!options['if-possible']) process.exitCode = 1;
  }
}

function prebuild(arch) {
  if (process.platform !== 'linux') throw new Error('prebuilt addons are made on Linux only');
  const prefix = toolPrefixes[arch];
  if (!prefix) throw new Error(`not one of ${Object.keys(toolPrefixes).join(', ')}`);
  const tools = arch === process.arch ? '' : prefix;
  const folder = mkdtempSync(join(tmpdir(), 'zerocast-prebuild-'));
  try {
    const built = buildIn(folder, { arch, tools });
    run(`${tools}strip`, ['--strip-unneeded', built]);
    const glibc = neededGlibc(built, tools);
    const target = join(root, 'dist', 'prebuilt', `linux-${arch}`);
    mkdirSync(target, { recursive: true });
    cpSync(built, join(target, 'zerocast.node'));
    console.error(`prebuild-addon: linux-${arch} is ready and needs glibc ${glibc} or newer`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Builds away from the tree, whose own addon may be in use. */
function buildIn(folder, { arch, tools }) {
  for (const part of ['package.json', 'binding.gyp', 'native/core', 'native/binding']) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const headersRoot = process.env.npm_config_nodedir ?? dirname(dirname(process.execPath));
  if (!existsSync(join(headersRoot, 'include', 'node', 'node_api.h'))) {
    throw new Error(`no Node headers in ${join(headersRoot, 'include', 'node')}`);
  }
  const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
  const command = [nodeGyp, 'rebuild', `--nodedir=${headersRoot}`, `--arch=${arch}`];
  const cross = { CC: `${tools}gcc`, CXX: `${tools}g++`, LINK: `${tools}g++`, AR: `${tools}ar` };
  run(process.execPath, command, { cwd: folder, env: { ...process.env, ...(tools && cross) } });
  return join(folder, 'build', 'Release', 'zerocast.node');
}

/** Throws when that is too new for a release. */
function neededGlibc(file, tools) {
  const symbols = run(`${tools}objdump`, ['-T', file]);
  const versions = [...symbols.matchAll(/\bGLIBC_(\d+)\.(\d+)/g)].map((match) => [
    Number(match[1]),
    Number(match[2]),
  ]);
  const newest = versions.sort(compareVersions).at(-1);
  if (!newest) throw new Error('it is not linked to glibc; releases are built with glibc');
  if (compareVersions(newest, newestGlibc) > 0) {
    const symbol = new RegExp(`GLIBC_${newest.join('\\.')}\\)? *(\\S+)`).exec(symbols)?.[1];
    throw new Error(
      `it needs glibc ${newest.join('.')} (for ${symbol}), but must run with ${newestGlibc.join('.')}`,
    );
  }
  return newest.join('.');
}

function compareVersions(a, b) {
  return a[0] - b[0] || a[1] - b[1];
}

function run(program, args, settings = {}) {
  const { status, error, stdout, stderr } = spawnSync(program, args, {
    ...settings,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error?.code === 'ENOENT') throw new Error(`${program} is not installed`);
  if (error) throw error;
  if (status !== 0) {
    const output = `${stderr}\n${stdout}`;
    const fault = /^.*\berror: .*$/m.exec(output)?.[0] ?? output.trim().split('\n').at(-1);
    throw new Error(`${program.split('/').at(-1)} failed: ${fault}`);
  }
  return stdout;
}
