import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { scratchFolder } from '../support/fifo.ts';
import { TestServer } from '../support/test-server.ts';

let folder: ReturnType<typeof scratchFolder>;
let server: TestServer;

beforeEach(async () => {
  folder = scratchFolder();
  const program = join(folder.path, 'player');
  writeFileSync(program, '#!/bin/sh\nexec cat /dev/zero\n');
  chmodSync(program, 0o755);
  server = await TestServer.start(
    'limits.max_children=2',
    `stream.sandbox_dir=${folder.path}`,
    ...['A', 'B', 'C'].map((name) => `stream.source=process://${program}?name=${name}`),
  );
});

afterEach(async () => {
  await server.stop();
  folder.remove();
});

it('disables a source beyond the limit of programs, and AddStream says why', async () => {
  const states = () =>
    [...server.application.streams.channels.values()].map(({ stream }) => stream.state);
  expect(states()[2]).toBe('disabled');
  expect(states().slice(0, 2)).not.toContain('disabled');
  expect(server.log.with('stream disabled')[0]?.fields).toMatchObject({
    stream: 'C',
    reason: expect.stringContaining('raise max_children in the section [limits]'),
  });
  const streamUri = `process://${join(folder.path, 'player')}?name=D`;
  const add = () => server.application.request('Stream.AddStream', { streamUri });
  await expect(add()).rejects.toMatchObject({ data: expect.stringContaining('max_children') });
  await server.application.streams.remove('A');
  // The place is free when the program has ended, which the answer does not wait for.
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const isAdded = await add().then(
      () => true,
      () => false,
    );
    if (isAdded) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect.unreachable('no place became free');
});
