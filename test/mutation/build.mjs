// Builds the changed source where Stryker has copied it to, two folders down.
import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { resolve } from 'node:path';

symlinkSync(resolve('../../node_modules'), 'node_modules', 'dir');
execFileSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' });
