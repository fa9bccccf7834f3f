import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { connect, createServer, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { adoptSocket, descriptorOf } from '../../../../src/base/net/adopt-socket.ts';

async function acceptedSocket(): Promise<Socket> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const remote = connect(typeof address === 'object' && address ? address.port : 0, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  onTestFinished(() => {
    remote.destroy();
    socket.destroy();
    server.close();
  });
  return socket;
}

describe('the descriptor of a socket', () => {
  it.runIf(process.platform === 'linux')('is that of the system', async () => {
    const socket = await acceptedSocket();
    const descriptor = descriptorOf(socket);
    expect(readlinkSync(`/proc/self/fd/${descriptor}`)).toMatch(/^socket:/);
  });

  it('goes with the handle to the socket that adopts it', async () => {
    const accepted = await acceptedSocket();
    const descriptor = descriptorOf(accepted);
    const adopted = adoptSocket(accepted, { buffer: () => Buffer.alloc(1), callback: () => true });
    expect(descriptorOf(adopted)).toBe(descriptor);
    expect(descriptorOf(accepted)).toBe(-1);
    adopted.destroy();
  });

  it('is unknown after the end, and before the beginning', async () => {
    const socket = await acceptedSocket();
    socket.destroy();
    expect(descriptorOf(socket)).toBe(-1);
    expect(descriptorOf(new Socket())).toBe(-1);
  });

  it('is nobody else’s business when the socket is TLS', async () => {
    const secure = new TLSSocket(await acceptedSocket(), { isServer: true });
    secure.on('error', () => {});
    expect(descriptorOf(secure)).toBe(-1);
    secure.destroy();
  });
});
