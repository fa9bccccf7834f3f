import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Finding } from '../../../src/doctor/finding.ts';
import { serverCheck } from '../../../src/doctor/server-check.ts';
import { doctorContext, findingsOf, type Settings, systemWith } from '../../support/doctor-rig.ts';
import { makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';
import { TestServer } from '../../support/test-server.ts';

let folder: string;

beforeEach(() => {
  folder = makeScratchFolder();
});

afterEach(() => removeScratchFolder(folder));

/** A system on which a zerocast listens at the port; who really answers there is another matter. */
function systemWithServer(port: number) {
  const socket = `00000000:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`;
  return systemWith(folder, {
    '/proc/77/cmdline': 'node\0/usr/bin/zerocast\0',
    '/proc/77/comm': 'node\n',
    '/proc/77/status': 'Uid:\t1000\t1000\t1000\t1000\n',
    '/proc/net/tcp': `head\n0: ${socket} 0:0 00:0 00000000 1000 4711 1\n`,
  });
}

type Section = 'tcp-streaming' | 'tcp-control' | 'http';

/** What is found where this one listener alone is switched on, behind who runs there. */
async function findingsAbout(
  section: Section,
  port: number,
  addresses: readonly string[] = ['127.0.0.1'],
): Promise<readonly Finding[]> {
  const others = ['tcp-streaming', 'tcp-control', 'http'].filter((name) => name !== section);
  const settings: Settings = [
    ...others.map((name) => [`${name}.enabled`, 'false'] as const),
    [`${section}.port`, String(port)],
    ...addresses.map((address) => [`${section}.bind_to_address`, address] as const),
  ];
  const files = systemWithServer(port);
  const [who, ...findings] = await findingsOf(serverCheck(doctorContext(settings, { files })));
  expect(who).toEqual({ level: 'ok', text: 'zerocast (process 77) runs at these ports' });
  return findings;
}

async function listen(server: Server, host = '127.0.0.1'): Promise<number> {
  onTestFinished(() => void server.close());
  await once(server.listen(0, host), 'listening');
  return (server.address() as AddressInfo).port;
}

const hung = 'look into the log of the server, and restart it';

describe('a server that does not run', () => {
  it('is not asked anything', async () => {
    const files = systemWith(folder, { '/proc/net/tcp': 'head\n' });
    expect(await findingsOf(serverCheck(doctorContext([], { files })))).toEqual([
      { level: 'note', text: 'no zerocast runs at these ports' },
    ]);
  });
});

describe('the web interface of a server that runs', () => {
  const answering = (status: number, host?: string) =>
    listen(
      createHttpServer(({ url }, response) => {
        response.statusCode = url === '/healthz' ? status : 404;
        response.end();
      }),
      host,
    );

  it.each([
    ['127.0.0.1', '::'],
    ['127.0.0.1', '0.0.0.0'],
    ['127.0.0.2', '127.0.0.2'],
  ])('is asked at %s where it listens on %s', async (host, address) => {
    expect(await findingsAbout('http', await answering(200, host), [address])).toEqual([
      { level: 'ok', text: 'GET /healthz is answered by 200' },
    ]);
  });

  it('is ill when it says so', async () => {
    expect(await findingsAbout('http', await answering(503))).toEqual([
      { level: 'fault', text: 'GET /healthz is answered by 503', mend: hung },
    ]);
  });

  it.each([
    ['hangs up', 'socket hang up', (server: Server) => server.on('connection', (s) => s.destroy())],
    ['says nothing', 'no answer came', (server: Server) => server],
  ])('is ill when it %s', async (_, reason, prepare) => {
    const port = await listen(prepare(createHttpServer(() => {})));
    expect(await findingsAbout('http', port)).toEqual([
      { level: 'fault', text: `GET /healthz on port ${port} failed (${reason})`, mend: hung },
    ]);
  });
});

describe('the control port of a server that runs', () => {
  const answering = (answer: string) =>
    listen(createServer((socket) => socket.once('data', () => socket.end(answer))));

  it.each([
    ['{"id":1,"result":{"major":2,"minor":3}}', 'ok', 'speaks JSON-RPC version 2.3'],
    ['{"error":{"code":-32004},"id":1}', 'note', 'answers, and wants a login first'],
  ])('that says %s is fine', async (answer, level, text) => {
    expect(await findingsAbout('tcp-control', await answering(`${answer}\r\n`))).toEqual([
      { level, text: `the control port ${text}` },
    ]);
  });

  it('is ill when it hangs up', async () => {
    const port = await answering('');
    const text = `the control port ${port} does not answer (the connection was closed)`;
    expect(await findingsAbout('tcp-control', port)).toEqual([
      { level: 'fault', text, mend: hung },
    ]);
  });
});

describe('the audio of a server that runs', () => {
  async function heardFrom(...settings: string[]): Promise<readonly Finding[]> {
    const server = await TestServer.start(...settings);
    onTestFinished(() => server.stop());
    return findingsAbout('tcp-streaming', server.port);
  }

  it('flows', async () => {
    expect(await heardFrom('stream.source=tone:///?name=Tone&codec=pcm')).toMatchObject([
      // A busy machine may be late with some of it.
      {
        level: expect.stringMatching(/^(ok|warning)$/),
        text: expect.stringMatching(/^audio flows: pcm 48000:16:2, \d+ chunks in 2 s/),
      },
    ]);
  });

  it('does not flow where nothing plays', async () => {
    expect(await heardFrom(`stream.source=pipe://${folder}/fifo?name=F`)).toEqual([
      {
        level: 'note',
        text: 'a player gets no audio now',
        mend: 'play something into the source of the first stream',
      },
    ]);
  });

  it('is not for players without a login', async () => {
    const login = ['enabled=true', 'role=all:*', 'user=ann:secret:all'];
    expect(await heardFrom(...login.map((setting) => `authorization.${setting}`))).toEqual([
      {
        level: 'note',
        text: expect.stringMatching(/^a player without a login is turned away \(.+\)$/),
      },
    ]);
  });
});
