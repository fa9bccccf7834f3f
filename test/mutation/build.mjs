// Builds the changed source where Stryker has copied it to, two folders down.
import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { resolve } from 'node:path';

symlinkSync(resolve('../../node_modules'), 'node_modules', 'dir');
const compiler = resolve('node_modules/typescript/bin/tsc');
execFileSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
