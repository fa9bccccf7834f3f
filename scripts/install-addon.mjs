// Builds the native addon; npm runs this after an installation. The server also works without the
// addon, so a failed build is one line and never a failed installation.
//
//   node scripts/install-addon.mjs [--if-stale]    with the option: only when a source is newer

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const addonFile = join(root, 'build', 'Release', 'zerocast.node');
const buildTimeoutMs = 5 * 60_000;

if (!process.argv.includes('--if-stale') || isStale()) {
  const reason = build();
  if (reason) {
    console.log(`zerocast: native addon not built (${reason}); the JavaScript path is used`);
  }
}

/** Builds the addon; the result says in a few words why it could not. */
function build() {
  rmSync(addonFile, { force: true });
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
  const folders = ['native/binding', 'native/core'].map((folder) => join(root, folder));
  const sources = folders.flatMap((folder) =>
    readdirSync(folder).map((file) => join(folder, file)),
  );
  return [join(root, 'binding.gyp'), ...sources].some((file) => statSync(file).mtimeMs > builtMs);
}
