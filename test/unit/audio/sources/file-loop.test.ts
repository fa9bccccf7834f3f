import { openSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FileLoop } from '../../../../src/audio/sources/file-loop.ts';
import { codeOf } from '../../../../src/base/errors.ts';
import { scratchFolder } from '../../../support/fifo.ts';

it('tells of a read that the system refuses, and gives nothing', async () => {
  const folder = scratchFolder();
  let blocks = 0;
  const fault = await new Promise<unknown>((resolve) => {
    const loop = new FileLoop(openSync(join(folder.path, 'write-only'), 'w'), {
      dataStart: 0,
      dataEnd: 10_000,
      frameBytes: 4,
      shortestBytes: 1920,
      blockBytes: 3840,
      onBlock: () => {
        blocks += 1;
        resolve(undefined);
      },
      onFault: async (error) => {
        expect(loop.copyTo(new Uint8Array(4))).toBe(0);
        await loop.close();
        resolve(error);
      },
    });
  });
  expect(codeOf(fault)).toBe('EBADF');
  expect(blocks).toBe(0);
  folder.remove();
});
