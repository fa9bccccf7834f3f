// Makes the native addon ready; npm runs this after an installation. In an installed package the
// prebuilt addon is taken when it works on this machine, else the addon is built. The server also
// works without it, so a failure is one line and never a failed installation.
//
//   node scripts/install-addon.mjs [--if-stale] [--from-source]
//     --if-stale       only when a source is newer than the addon
//     --from-source    build even though the prebuilt addon works

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const addonFile = join(root, 'build', 'Release', 'zerocast.node');
const native = join(root, 'dist', 'base', 'native');
const buildTimeoutMs = 5 * 60_000;
const trialTimeoutMs = 30_000;

if (!process.argv.includes('--if-stale') || isStale()) {
  const reason = await install();
  if (reason) {
    console.log(`zerocast: native addon not built (${reason}); the JavaScript path is used`);
  }
}

/** Takes the prebuilt addon or builds one; the result says in a few words why neither is there. */
async function install() {
  rmSync(addonFile, { force: true });
  const isRelease = existsSync(join(root, 'dist', 'prebuilt')) && !existsSync(join(root, 'src'));
  if (!isRelease || process.argv.includes('--from-source')) return build();
  const unfit = await tryPrebuilt();
  if (unfit === undefined) return undefined;
  const unbuilt = build();
  return unbuilt && `${unfit}; ${unbuilt}`;
}

/** The result says why the prebuilt addon of the release is of no use here. */
async function tryPrebuilt() {
  const { platformTag, prebuiltPath } = await import(fileUrl('addon-files.js'));
  const file = prebuiltPath();
  if (!existsSync(file)) return `no prebuilt one for ${platformTag()}`;
  // In a process of its own: what was made for another C library may do more than fail to load.
  const trial = spawnSync(process.execPath, ['--input-type=module', '--eval', trialProgram()], {
    encoding: 'utf8',
    timeout: trialTimeoutMs,
  });
  if (trial.status === 0) return undefined;
  if (trial.status === 1 && trial.stdout) return `the prebuilt one: ${trial.stdout.trim()}`;
  // The server would end in the same way.
  rmSync(file, { force: true });
  return `the prebuilt one broke the process that tried it (${trial.signal ?? trial.status})`;
}

/** Loads the addon in the way of the server, and uses it. */
function trialProgram() {
  return `
    const { loadPrebuiltAddon } = await import(${JSON.stringify(fileUrl('native-addon.js'))});
    const { addon, reason } = loadPrebuiltAddon();
    if (reason) {
      console.log(reason);
      process.exitCode = 1;
    } else {
      new Uint8Array(addon.allocateSlab(65536)).fill(1);
    }`;
}

function fileUrl(name) {
  return pathToFileURL(join(native, name)).href;
}

/** Builds the addon; the result says in a few words why it could not. */
function build() {
  const headersRoot = process.env.npm_config_nodedir ?? dirname(dirname(process.execPath));
  // Without this check node-gyp would download headers, which nobody asked for.
  if (!existsSync(join(headersRoot, 'include', 'node', 'node_api.h'))) {
    return `no Node headers in ${join(headersRoot, 'include', 'node')}`;
  }
  let nodeGyp;
  try {
    nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
  } catch {
    return 'node-gyp is not installed';
  }
  const command = [nodeGyp, 'rebuild', `--nodedir=${headersRoot}`];
  const { status, error, stdout, stderr } = spawnSync(process.execPath, command, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: buildTimeoutMs,
  });
  if (error) return error.message;
  if (status !== 0) return reasonIn(`${stderr}\n${stdout}`);
  return existsSync(addonFile) ? undefined : `node-gyp left no ${addonFile}`;
}

/** The most telling line: of the compiler, else of node-gyp. */
function reasonIn(output) {
  const patterns = [
    /^.*\bfatal error: .*$/m,
    /^.*\berror: .*$/m,
    /^make: .*(?:not found|No such file or directory)$/m,
    /^\w+Error: .*$/m,
    /^gyp ERR! stack (?:\w*Error: )?(.*)$/m,
  ];
  for (const pattern of patterns) {
    const match = pattern.exec(output);
    if (match) return (match[1] ?? match[0]).trim();
  }
  return 'node-gyp failed; run "npx node-gyp rebuild" to see why';
}

function isStale() {
  if (!existsSync(addonFile)) return true;
  const builtMs = statSync(addonFile).mtimeMs;
  const folders = ['native/binding', 'native/core', 'native/core/capture', 'native/core/dsp'].map(
    (folder) => join(root, folder),
  );
  const sources = folders.flatMap((folder) =>
    readdirSync(folder).map((file) => join(folder, file)),
  );
  // package.json holds the version, which the addon carries in itself.
  const others = ['binding.gyp', 'package.json'].map((file) => join(root, file));
  return [...others, ...sources].some((file) => statSync(file).mtimeMs > builtMs);
}
