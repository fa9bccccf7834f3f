import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { messageType } from '../../src/protocol/layout.ts';
import { scratchFolder } from '../support/fifo.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

let folder: ReturnType<typeof scratchFolder>;
let data: string;
let config: string;
let server: TestServer;

beforeEach(() => {
  folder = scratchFolder();
  data = join(folder.path, 'data');
  mkdirSync(data);
  config = join(folder.path, 'zerocast.conf');
  writeFileSync(config, `token_secret = ${'s'.repeat(48_000)}\n`);
});
afterEach(async () => {
  await server.stop();
  folder.remove();
});

async function start(...settings: string[]): Promise<void> {
  const reload = { file: config, warnings: [], load: () => expect.unreachable() };
  server = await TestServer.startWith(
    { dataFolder: data, reload },
    `stream.source=tone:///?name=Tone&codec=pcm`,
    ...settings,
  );
}

const add = (streamUri: string) =>
  server.application.request('Stream.AddStream', { streamUri }).then(
    () => 'added',
    (error: { readonly data: string }) => error.data,
  );

describe('a controller that adds streams', () => {
  it('cannot have the configuration or anything of the data folder played', async () => {
    writeFileSync(join(data, 'notes'), 's'.repeat(48_000));
    await start(
      'server.pidfile=/tmp/zerocast-test.pid',
      'logging.sink=file:/tmp/zerocast-test.log',
    );
    const own = [
      `file://${config}`,
      `file://${data}/notes`,
      `file://${data}/../data/notes`,
      `pipe://${data}/.server.json.${process.pid}.tmp`,
      `pipe://${data}/server.json`,
      `pipe://${data}/server.json.lock`,
      `pipe://${data}/streams.json`,
      'pipe:///tmp/zerocast-test.pid',
      'pipe:///tmp/zerocast-test.log',
    ];
    for (const address of own) {
      expect(await add(`${address}?name=X`), address).toContain('belongs to the system or to');
    }
    for (const name of ['pid', 'log']) expect(existsSync(`/tmp/zerocast-test.${name}`)).toBe(false);
    expect(server.application.streams.channels.size).toBe(1);
  });

  it('neither stops saving nor stopping by a fifo, whatever is allowed', async () => {
    await start('stream.source_dir=/');
    await add(`pipe://${data}/.server.json.${process.pid}.tmp?name=X`);
    const client = await ScriptedClient.greet(server.port, 'to be saved');
    await client.untilCount(messageType.wireChunk, 1);
    client.close();
    await server.untilSessions(0);
    await server.application.close();
    expect(readFileSync(join(data, 'server.json'), 'utf8')).toContain('to be saved');
  });

  it('may have played what lies in the folders for that', async () => {
    writeFileSync(join(folder.path, 'music'), Buffer.alloc(48_000));
    await start(`stream.source_dir=${folder.path}`);
    expect(await add(`file://${folder.path}/music?name=File`)).toBe('added');
    expect(await add(`pipe://${folder.path}/fifo?name=Pipe`)).toBe('added');
    expect(await add('file:///etc/passwd?name=Users')).toContain(
      'source_dir in the section [stream]',
    );
  });
});

it('a stream of the configuration reads from wherever it is told to', async () => {
  writeFileSync(join(data, 'music'), Buffer.alloc(48_000), { mode: 0o600 });
  await start(
    'stream.source_dir=/nowhere',
    `stream.source=file://${data}/music?name=File&codec=pcm&idle_threshold=1000`,
  );
  const { channels } = server.application.streams;
  await until(() => channels.get('File')?.stream.state !== 'disabled');
  expect(channels.get('File')?.stream.fault).toBeUndefined();
});

it('a saved stream that is not allowed any more is kept, and the log names the setting', async () => {
  const address = `pipe://${folder.path}/fifo?name=Saved`;
  const file = join(data, 'streams.json');
  writeFileSync(file, JSON.stringify({ version: 1, streams: [address] }));
  await start('stream.persist_added=true', 'stream.source_dir=/nowhere');
  expect([...server.application.streams.channels.keys()]).toEqual(['Tone']);
  expect(String(server.log.with('saved stream left out')[0]?.fields.reason)).toContain(
    'source_dir',
  );
  expect(await add('tone:///?name=Other')).toBe('added');
  await until(() => readFileSync(file, 'utf8').includes('Other'), 'it is saved');
  expect(JSON.parse(readFileSync(file, 'utf8')).streams).toContain(address);
});
