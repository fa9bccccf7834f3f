import { readFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runToEnd } from '../support/brief-run.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { assertBuilt, freePort, ServerProcess } from '../support/server-process.ts';

let folder: string;
beforeEach(() => {
  assertBuilt();
  folder = makeScratchFolder();
});
afterEach(() => removeScratchFolder(folder));

const make = (...options: string[]) =>
  runToEnd({ options: ['make-certificate', `--server.datadir=${folder}`, ...options] });

/** What is to be written into the configuration, as options. */
function settingsIn(output: string): readonly string[] {
  let section = '';
  return output.split('\n').flatMap((line) => {
    section = /^ {2}\[(\w+)\]$/.exec(line)?.[1] ?? section;
    const [, key, value] = /^ {2}(\w+) = (.*)$/.exec(line) ?? [];
    return key === undefined ? [] : [`--${section}.${key}=${value}`];
  });
}

it('make-certificate says what to write into the configuration, and that serves HTTPS', async () => {
  const made = make('music.example.org');
  expect(made).toMatchObject({ status: 0, stderr: '' });
  expect(made.stdout).toContain('music.example.org');
  expect(made.stdout).toMatch(/Open http:\/\/[^ ]+:1780\/ca\.crt/);
  const settings = settingsIn(made.stdout);
  expect(settings).toHaveLength(3);
  const port = await freePort();
  const server = await ServerProcess.start({
    sources: ['tone:///?name=Tone'],
    options: [...settings, `--http.ssl_port=${port}`, '--http.ssl_bind_to_address=127.0.0.1'],
  });
  try {
    const ca = readFileSync(join(folder, 'tls/ca.crt'));
    const body = await new Promise<string>((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port,
        path: '/healthz',
        servername: 'music.example.org',
      };
      get({ ...options, ca, agent: false }, (response) => {
        text(response).then(resolve, reject);
      }).on('error', reject);
    });
    expect(body).toBe('ok');
  } finally {
    await server.stop();
  }
});

it('make-certificate renews, and refuses to write over what is there', () => {
  expect(make().status).toBe(0);
  const again = make();
  expect(again).toMatchObject({ status: 1, stdout: '' });
  expect(again.stderr).toMatch(/^zerocast: make-certificate: .*server\.crt is there/);
  const renewed = make('--renew', '--days', '397');
  expect(renewed).toMatchObject({ status: 0, stderr: '' });
  expect(renewed.stdout).toContain('after a reload');
  expect(make('--renew', '--replace').status).toBe(1);
});
