// Prints the folders of the packages that a built server needs, one a line, relative to the root of
// this tree. Those that only build the native addon are left out.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const forBuilding = new Set(['node-gyp', 'node-addon-api']);
const found = new Set();

const manifestOf = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

/** As Node looks for it: in the folders around the package that needs it. */
function locate(name, from) {
  const candidate = join(from, 'node_modules', name);
  if (existsSync(join(candidate, 'package.json'))) return candidate;
  return from === root ? undefined : locate(name, dirname(from));
}

function visit(folder) {
  const { dependencies = {}, optionalDependencies = {} } = manifestOf(folder);
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    if (forBuilding.has(name)) continue;
    const target = locate(name, folder);
    if (!target) {
      if (name in optionalDependencies) continue;
      process.stderr.write(`the package ${name} is not installed: run scripts/prepare\n`);
      process.exit(1);
    }
    if (found.has(target)) continue;
    found.add(target);
    visit(target);
  }
}

visit(root);
for (const folder of [...found].sort()) process.stdout.write(`${relative(root, folder)}\n`);
