import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { codeOf } from '../../src/base/errors.ts';

const leftLimit = 400;

/** Leaves this process no descriptor to spare; returns what gives them back. */
export function takeDescriptors(): () => void {
  const own = ['--pid', String(process.pid)];
  const soft = execFileSync('prlimit', [...own, '--nofile', '--output=SOFT', '--noheadings']);
  const limit = (most: string | number) => execFileSync('prlimit', [...own, `--nofile=${most}:`]);
  const taken: number[] = [];
  limit(leftLimit);
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch (error) {
    if (codeOf(error) !== 'EMFILE') throw error;
  }
  return () => {
    for (const descriptor of taken) closeSync(descriptor);
    limit(soft.toString().trim());
  };
}
