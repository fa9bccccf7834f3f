import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { ArrivingBytes } from '../../../../src/base/net/arriving-bytes.ts';

it('ends what sends nothing for longer than is waited for it', async () => {
  const body = new PassThrough();
  const arriving = new ArrivingBytes(body, new AbortController().signal);
  body.write('sound');
  expect(String(await arriving.next(20))).toBe('sound');
  const reason = 'nothing came for 0.02 s';
  await expect(arriving.next(20)).rejects.toMatchObject({ code: 'fetch-failed', message: reason });
  expect(body.destroyed).toBe(true);
});
