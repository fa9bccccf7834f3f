import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { Application } from '../../src/app/application.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { option } from '../support/config-text.ts';
import { LogLines } from '../support/log-lines.ts';

const busyMs = 3000;
let application: Application | undefined;

afterEach(() => application?.close());

it('a start that takes long is not told as a server that stood still or was suspended', async () => {
  const log = new LogLines();
  const settings = [
    ['server.mdns_enabled', 'false'],
    ['http.enabled', 'false'],
    ['tcp-control.enabled', 'false'],
    ['tcp-streaming.bind_to_address', '127.0.0.1'],
    ['tcp-streaming.port', '0'],
    ['stream.source', 'tone:///?name=T'],
  ] as const;
  const overrides = settings.map(([name, value]) => option(name, value));
  const { config } = loadConfig({ searchPaths: [], overrides });
  application = await Application.start({
    config,
    logger: log,
    // As on a machine with too much to do.
    onBound: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, busyMs),
  });
  await delay(1000);
  const told = log.lines.filter(({ tag }) => tag === 'Time');
  // This machine may be busy by itself.
  expect(told.filter(({ fields }) => Number(fields?.ms) > busyMs - 500)).toEqual([]);
});
