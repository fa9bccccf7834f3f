import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import { Listener, socketServers } from '../../../src/transport/listener.ts';
import { LogLines } from '../../support/log-lines.ts';
import { until } from '../../support/waiting.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ family, address }) => family === 'IPv6' && address === '::1'),
);

const listeners: Listener[] = [];
const sockets: Socket[] = [];
const servers: Server[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const listener of listeners.splice(0)) await listener.close();
  for (const server of servers.splice(0)) server.close();
});

async function open(addresses: string[], port = 0, log = new LogLines()): Promise<Listener> {
  const listener = await Listener.open({
    addresses,
    port,
    setting: 'tcp-streaming',
    logger: log,
    createServer: socketServers((socket) => sockets.push(socket)),
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

  it('accepts nobody after its end, and leaves those who came alone', async () => {
    const listener = await open(['127.0.0.1']);
    const { port } = listener;
    expect(await isReachable('127.0.0.1', port)).toBe(true);
    await until(() => sockets.length === 2);
    await listener.close();
    expect(await isReachable('127.0.0.1', port)).toBe(false);
    const [client, accepted] = sockets;
    expect(client?.destroyed).toBe(false);
    expect(accepted?.destroyed).toBe(false);
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
