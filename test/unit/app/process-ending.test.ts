import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPlainModule, type PlainModule } from '../../support/plain-module.ts';

let built: PlainModule;
beforeAll(() => {
  built = buildPlainModule('src/app/process-ending.ts');
});
afterAll(() => built.remove());

describe('internal errors', () => {
  it('are told five times, however many there are, and end no process that is being closed', () => {
    const program = `
      const { internalError } = await import('${built.path}');
      const fatal = (phrase, { reason }) => console.log(phrase, reason);
      void internalError({ fatal }).then(() => console.log('closing'));
      for (let count = 1; count <= 20; count += 1) {
        setTimeout(() => { throw new Error(count); });
        setTimeout(() => void Promise.reject(new Error(count)));
      }
      setTimeout(() => console.log('closed'), 50);`;
    const args = ['--input-type=module', '-e', program];
    const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    const told = [1, 1, 2, 2, 3].map((count) => `internal error ${count}`);
    expect(stdout.trim().split('\n')).toEqual([told[0], 'closing', ...told.slice(1), 'closed']);
    expect(status).toBe(0);
  });
});
