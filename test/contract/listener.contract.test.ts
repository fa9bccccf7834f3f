import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, describe as describeFor, expect, it } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { loadNativeAddon } from '../../src/base/native/native-addon.ts';
import { addressOf } from '../../src/base/net/remote-address.ts';
import type { Admit } from '../../src/transport/admission.ts';
import { Listener, socketServers } from '../../src/transport/listener.ts';
import { AdmissionRig } from '../support/admission-rig.ts';
import { takeDescriptors } from '../support/descriptors.ts';
import { LogLines } from '../support/log-lines.ts';
import { turn, until } from '../support/waiting.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ family, address }) => family === 'IPv6' && address === '::1'),
);

const native = loadNativeAddon();
const ownAcceptor = 'addon' in native ? native.addon.Acceptor : undefined;
let Acceptor: typeof ownAcceptor;

/** Connections are accepted one at a time by Node, or in batches by the addon. */
const ways = [
  { way: 'Node', by: undefined, isHere: true },
  {
    way: 'the addon',
    by: ownAcceptor,
    isHere: ownAcceptor !== undefined || Boolean(process.env.CI),
  },
];

function describe(name: string, suite: () => void): void {
  for (const { way, by, isHere } of ways) {
    describeFor.skipIf(!isHere)(`${name}, where ${way} accepts`, () => {
      beforeEach(() => {
        if (way !== 'Node') expect(by).toBeDefined();
        Acceptor = by;
      });
      suite();
    });
  }
}

const listeners: Listener[] = [];
const sockets: Socket[] = [];
const servers: Server[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const listener of listeners.splice(0)) await listener.close();
  for (const server of servers.splice(0)) server.close();
});

interface Ends {
  readonly log?: LogLines;
  readonly admit?: Admit;
  readonly onSocket?: (socket: Socket) => void;
}

async function open(addresses: string[], port = 0, ends: Ends = {}): Promise<Listener> {
  const listener = await Listener.open({
    addresses,
    port,
    setting: 'tcp-streaming',
    logger: ends.log ?? new LogLines(),
    admit: ends.admit,
    createServer: socketServers((socket) => {
      sockets.push(socket);
      ends.onSocket?.(socket);
    }),
    Acceptor,
  });
  listeners.push(listener);
  return listener;
}

async function isReachable(host: string, port: number): Promise<boolean> {
  const socket = connect(port, host);
  sockets.push(socket);
  return once(socket, 'connect').then(
    () => true,
    () => false,
  );
}

async function refusal(addresses: string[], port: number): Promise<ConfigError> {
  const error = await open(addresses, port).catch((reason: unknown) => reason);
  if (!(error instanceof ConfigError)) throw new Error(`no ConfigError but ${error}`);
  return error;
}

async function occupy(host: string, port = 0): Promise<number> {
  const server = createServer().listen({ host, port, ipv6Only: host === '::1' });
  servers.push(server);
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

describe('a listener', () => {
  it('hands on each connection', async () => {
    const listener = await open(['127.0.0.1']);
    expect(await isReachable('127.0.0.1', listener.port)).toBe(true);
    await until(() => sockets.length === 2);
    expect(sockets).toHaveLength(2);
  });

  it('hands on each of a crowd that comes at once, with what it has said, from whom it came', async () => {
    const heard: (string | undefined)[] = [];
    const listener = await open(['127.0.0.1'], 0, {
      onSocket: (socket) => {
        expect([socket.isPaused(), addressOf(socket), socket.localPort]).toEqual([
          true,
          '127.0.0.1',
          listener.port,
        ]);
        socket.once('data', (data) => heard.push(`${socket.remotePort} ${data}`)).resume();
      },
    });
    const crowd = Array.from({ length: 150 }, () => connect(listener.port, '127.0.0.1'));
    for (const client of crowd) client.write('hello');
    sockets.push(...crowd);
    await until(() => heard.length === crowd.length);
    expect(heard.toSorted()).toEqual(crowd.map(({ localPort }) => `${localPort} hello`).toSorted());
  });

  it('tells the port that the system chose for port 0', async () => {
    const listener = await open(['127.0.0.1'], 0);
    expect(listener.port).toBeGreaterThan(0);
  });

  it('has the same port on all its addresses, also if the system chose it', async () => {
    const listener = await open(['127.0.0.1', '127.0.0.2', '127.0.0.3']);
    for (const host of ['127.0.0.1', '127.0.0.2', '127.0.0.3']) {
      expect(await isReachable(host, listener.port)).toBe(true);
    }
    expect(await isReachable('127.0.0.4', listener.port)).toBe(false);
  });

  it('takes an address that is given twice once', async () => {
    const listener = await open(['127.0.0.1', '127.0.0.1']);
    expect(await isReachable('127.0.0.1', listener.port)).toBe(true);
  });

  it.runIf(hasIpv6)('serves both families on ::, whatever else is given', async () => {
    const listener = await open(['0.0.0.0', '::', '127.0.0.1', '::1']);
    expect(await isReachable('127.0.0.1', listener.port)).toBe(true);
    expect(await isReachable('::1', listener.port)).toBe(true);
  });

  it('hands on nobody any more who has come before its end and was not handed on yet', async () => {
    const listener = await open(['127.0.0.1'], 0, { onSocket: () => void listener.close() });
    const clients = [connect(listener.port, '127.0.0.1'), connect(listener.port, '127.0.0.1')];
    for (const client of clients) client.on('error', () => {}).resume();
    const served = () => sockets.length;
    await until(() => served() === 1 && clients.some(({ closed }) => closed));
    await turn();
    expect(served()).toBe(1);
    sockets.push(...clients);
  });

  it('holds and refuses by what stands in front of it', async () => {
    const rig = new AdmissionRig();
    rig.limits.maxPlayers = 2;
    const listener = await open(['127.0.0.1'], 0, { admit: rig.admission.admitFor('player') });
    const clients = [1, 2, 3].map(() => connect(listener.port, '127.0.0.1').on('error', () => {}));
    for (const client of clients) client.resume();
    await until(() => clients.filter(({ closed }) => closed).length === 1);
    expect([sockets.length, rig.admission.refusals.get('player')]).toEqual([0, 1]);
    rig.admission.release();
    await until(() => sockets.length === 2);
    sockets.push(...clients);
  });

  it('ends a connection that it has no descriptor for, does not spin, and goes on', async () => {
    const log = new LogLines();
    const listener = await open(['127.0.0.1'], 0, { log });
    const waiting = connect(listener.port, '127.0.0.1').on('error', () => {});
    // The client has its descriptor then, and the event loop has not looked at the port yet.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    const restore = takeDescriptors();
    try {
      const used = process.cpuUsage();
      const startMs = performance.now();
      waiting.resume();
      await until(() => waiting.closed);
      await new Promise((resolve) => setTimeout(resolve, 300));
      const { user, system } = process.cpuUsage(used);
      expect((user + system) / 1000 / (performance.now() - startMs)).toBeLessThan(0.5);
    } finally {
      restore();
    }
    const { port } = listener;
    // Node ends it without a word.
    const told = Acceptor ? [{ port, reason: 'accept EMFILE' }] : [];
    expect(log.lines.map(({ fields }) => fields)).toEqual(told);
    expect(await isReachable('127.0.0.1', port)).toBe(true);
    await until(() => sockets.length === 2);
  });

  it('accepts nobody after its end, and leaves those who came alone', async () => {
    const listener = await open(['127.0.0.1']);
    const { port } = listener;
    expect(await isReachable('127.0.0.1', port)).toBe(true);
    await until(() => sockets.length === 2);
    await listener.close();
    expect(await isReachable('127.0.0.1', port)).toBe(false);
    const [client, accepted] = sockets;
    expect([client?.destroyed, accepted?.destroyed]).toEqual([false, false]);
  });
});

describe('an address that cannot be bound', () => {
  it('is named with its port, its setting and what to do when another program has it', async () => {
    const port = await occupy('127.0.0.1');
    const { message, code, cause } = await refusal(['127.0.0.1'], port);
    expect(code).toBe('bind');
    expect(message).toContain(`[tcp-streaming] cannot listen on 127.0.0.1 port ${port}`);
    expect(message).toMatch(/EADDRINUSE.*stop that or choose another port/);
    expect(cause).toBeInstanceOf(Error);
  });

  it('is named when the machine does not have it', async () => {
    const { message } = await refusal(['192.0.2.1'], 40_404);
    expect(message).toMatch(/192\.0\.2\.1 port 40404 \(EADDRNOTAVAIL\).*correct bind_to_address/);
  });

  it('is named when it is no address at all', async () => {
    const { message } = await refusal(['no such host.invalid'], 40_404);
    expect(message).toMatch(/no such host\.invalid port 40404 .*correct bind_to_address/);
  });

  it('leaves none of the others open', async () => {
    const port = await occupy('127.0.0.2');
    const { message } = await refusal(['127.0.0.1', '127.0.0.2'], port);
    expect(message).toContain('127.0.0.2');
    expect(await occupy('127.0.0.1', port)).toBe(port);
  });
});
