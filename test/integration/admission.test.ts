import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { loadTlsMaterial } from '../../src/http/tls-material.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { Listener, socketServers } from '../../src/transport/listener.ts';
import { AdmissionRig } from '../support/admission-rig.ts';
import { makeCertificate } from '../support/certificates.ts';
import { HttpRig } from '../support/http-rig.ts';
import { LogLines } from '../support/log-lines.ts';
import { PlayerRig } from '../support/player-rig.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { freePort } from '../support/server-process.ts';
import { TestServer } from '../support/test-server.ts';
import { turn, until } from '../support/waiting.ts';

/** Long enough for whatever is not held back to be served. */
async function whileHeld(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 200));
  await turn();
}

async function listener(rig: AdmissionRig, serve: (socket: Socket) => void): Promise<Listener> {
  const opened = await Listener.open({
    addresses: ['127.0.0.1'],
    port: 0,
    setting: 'tcp-control',
    logger: rig.log,
    admit: rig.admission.admitFor('controller'),
    createServer: socketServers(serve),
  });
  onTestFinished(() => opened.close());
  return opened;
}

async function tcpClient(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

async function httpRig(rig: AdmissionRig, options: Parameters<typeof HttpRig.open>[0] = {}) {
  const http = await HttpRig.open({ admit: rig.admission.admitFor('http'), ...options });
  onTestFinished(() => http.close());
  return http;
}

describe('connections before the release', () => {
  it('wait on plain ports, with what they have said, and are then served', async () => {
    const rig = new AdmissionRig();
    const served: string[] = [];
    const { port } = await listener(rig, (socket) => {
      socket.on('data', (data) => served.push(String(data)));
      socket.resume();
    });
    const client = await tcpClient(port);
    client.write('early');
    await whileHeld();
    expect(served).toEqual([]);
    rig.admission.release();
    await until(() => served.length === 1);
    const late = await tcpClient(port);
    late.write('late');
    await until(() => served.length === 2);
    expect(served).toEqual(['early', 'late']);
  });

  it('wait as HTTP requests', async () => {
    const rig = new AdmissionRig();
    const http = await httpRig(rig);
    let answers = 0;
    const count = (answer: { status: number }) => {
      expect(answer.status).toBe(200);
      answers += 1;
    };
    const asked = [http.get('/healthz').then(count), http.post('x'.repeat(300_000)).then(count)];
    await whileHeld();
    expect([answers, http.requests.length]).toEqual([0, 0]);
    rig.admission.release();
    await Promise.all(asked);
    expect(http.requests[0]?.text).toHaveLength(300_000);
  });

  it('wait as WebSockets', async () => {
    const rig = new AdmissionRig();
    const http = await httpRig(rig);
    const webSocket = new WebSocket(`ws://127.0.0.1:${http.port}/jsonrpc`);
    onTestFinished(() => webSocket.terminate());
    await whileHeld();
    expect([webSocket.readyState, http.sessions.length]).toEqual([WebSocket.CONNECTING, 0]);
    rig.admission.release();
    await once(webSocket, 'open');
    webSocket.send('asked');
    await until(() => http.sessions[0]?.texts.length === 1);
  });

  it('wait before TLS begins', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'zerocast-admission-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    makeCertificate({ folder, name: 'server' });
    const tls = await loadTlsMaterial({
      certificate: join(folder, 'server.crt'),
      certificateKey: join(folder, 'server.key'),
      keyPassword: '',
      verifyClients: false,
      clientCert: [],
      isWanted: true,
      logger: new LogLines(),
    });
    const rig = new AdmissionRig();
    const { port } = await httpRig(rig, { tls });
    const ca = readFileSync(join(folder, 'server.crt'));
    const asking = request({ host: '127.0.0.1', port, path: '/healthz', agent: false, ca });
    let isSecure = false;
    asking.on('socket', (socket) => {
      socket.on('secureConnect', () => {
        isSecure = true;
      });
    });
    const answered = once(asking.end(), 'response');
    await whileHeld();
    expect(isSecure).toBe(false);
    rig.admission.release();
    const [response] = await answered;
    expect(await text(response)).toBe('ok');
  });

  it('have all their time for a Hello from the release on', async () => {
    const rig = new AdmissionRig();
    const helloTimeoutMs = 400;
    const admit = rig.admission.admitFor('player');
    const players = await PlayerRig.open([], { helloTimeoutMs, admit });
    onTestFinished(() => players.close().then(() => undefined));
    const client = players.keep(await ScriptedClient.connect(players.port));
    await new Promise((resolve) => setTimeout(resolve, 2 * helloTimeoutMs));
    expect([client.isClosed, players.server.sessionCount]).toEqual([false, 0]);
    rig.admission.release();
    await until(() => players.server.sessionCount === 1);
    expect(client.isClosed).toBe(false);
    await client.untilClosed();
    expect(players.log.with(`no Hello within ${helloTimeoutMs} ms`)).toHaveLength(1);
  });

  it('wait within the limits only, and make room when they go', async () => {
    const rig = new AdmissionRig();
    rig.limits.maxControllers = 2;
    const served: Socket[] = [];
    const { port } = await listener(rig, (socket) => served.push(socket));
    const [first, second] = [await tcpClient(port), await tcpClient(port)];
    const refused = await tcpClient(port);
    refused.resume();
    await until(() => refused.closed);
    expect([...rig.admission.refusals]).toEqual([['controller', 1]]);
    rig.admission.release();
    await until(() => served.length === 2);
    expect(served.map(({ remotePort }) => remotePort)).toEqual([first.localPort, second.localPort]);
    first.destroy();
    served[0]?.resume();
    await until(() => served[0]?.closed === true);
    await tcpClient(port);
    await until(() => served.length === 3);
  });

  it('end when the server ends instead', async () => {
    const rig = new AdmissionRig();
    const { port } = await listener(rig, () => {
      throw new Error('nobody is to be served');
    });
    const http = await httpRig(rig);
    const clients = [await tcpClient(port), await tcpClient(http.port)];
    await whileHeld();
    for (const client of clients) client.resume();
    rig.admission.close();
    await until(() => clients.every(({ closed }) => closed));
  });

  it('may have gone by then', async () => {
    const rig = new AdmissionRig();
    const { port } = await listener(rig, (socket) => {
      socket.on('error', () => {});
      socket.resume();
    });
    const http = await httpRig(rig);
    for (const client of [await tcpClient(port), await tcpClient(http.port)]) {
      client.write('GET ');
      await whileHeld();
      client.resetAndDestroy();
    }
    await whileHeld();
    rig.admission.release();
    expect((await http.get('/healthz')).status).toBe(200);
  });
});

describe('the place of a controller', () => {
  it('is given back by a WebSocket that is gone before it has logged in', async () => {
    const rig = new AdmissionRig();
    rig.limits.maxControllers = 1;
    rig.admission.release();
    const sockets: Socket[] = [];
    const logins: (() => void)[] = [];
    const http = await httpRig(rig, {
      admit: (socket, serve) => {
        sockets.push(socket);
        serve();
      },
      mayBecome: (kind, socket) => rig.admission.mayBecome(kind, socket),
      access: {
        anonymous: undefined,
        login: () =>
          new Promise((resolve) => {
            logins.push(() => resolve({ user: 'a', permits: () => true }));
          }),
      },
    });
    const join = () => {
      const webSocket = new WebSocket(`ws://127.0.0.1:${http.port}/jsonrpc`, { auth: 'a:b' });
      onTestFinished(() => webSocket.terminate());
      return webSocket.on('error', () => {});
    };
    join();
    await until(() => logins.length === 1);
    const [first] = sockets;
    if (first) await once(first.destroy(), 'close');
    logins[0]?.();
    await turn();
    const second = join();
    await until(() => logins.length === 2);
    logins[1]?.();
    await once(second, 'open');
  });
});

describe('one address where descriptors are few', () => {
  const third = async (setting: number) => {
    const rig = new AdmissionRig();
    rig.limits.maxConnectionsPerAddress = setting;
    rig.limits.descriptorShare = 2;
    rig.admission.release();
    const served: (number | undefined)[] = [];
    const { port } = await listener(rig, (socket) => {
      served.push(socket.remotePort);
      socket.on('error', () => {});
    });
    const came: (number | undefined)[] = [];
    for (let count = 0; count < 3; count += 1) came.push((await tcpClient(port)).localPort);
    await until(() => served.length + rig.log.lines.length === 3);
    return { rig, served, came };
  };

  it('gets no more than its share of them, and the log says how to get more', async () => {
    const { rig, served, came } = await third(512);
    expect(served).toEqual(came.slice(0, 2));
    expect(rig.admission.refusals.get('address')).toBe(1);
    expect(rig.log.lines[0]?.fields).toMatchObject({
      limit: 2,
      remedy: 'raise "ulimit -n", or LimitNOFILE of the service',
    });
  });

  it('gets what it wants when there is to be no limit for an address', async () => {
    const { served, came } = await third(0);
    expect(served).toEqual(came);
  });
});

describe('a server', () => {
  let server: TestServer | undefined;

  afterEach(async () => {
    await server?.stop();
    server = undefined;
  });

  it('serves with audio whoever came while its ports were bound and its streams were not', async () => {
    const port = await freePort();
    let client: Promise<ScriptedClient> | undefined;
    const onBound = () => {
      client = ScriptedClient.greet(port, 'early');
    };
    server = await TestServer.startWith(
      { onBound },
      `tcp-streaming.port=${port}`,
      'stream.source=tone:///?name=Tone',
    );
    const early = await client;
    await early?.untilCount(messageType.wireChunk, 5);
    early?.close();
  });
});
