import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectSecurely, createServer as createSecureServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { loadNativeAddon } from '../../../src/base/native/native-addon.ts';
import { descriptorOf, kernelDescriptorOf } from '../../../src/base/net/adopt-socket.ts';
import { TcpFactsReader } from '../../../src/observing/tcp-facts-reader.ts';
import { makeCertificate } from '../../support/certificates.ts';
import { scratchFolder } from '../../support/fifo.ts';

const ends: (() => unknown)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  ends.push(() => server.close());
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

async function accepted(server: Server, event: string, open: (port: number) => Socket) {
  const port = await portOf(server);
  const peer = open(port);
  peer.on('error', () => undefined);
  const [socket] = (await once(server, event)) as [Socket];
  ends.push(() => {
    socket.destroy();
    peer.destroy();
  });
  socket.write('x'.repeat(1000));
  await once(peer, 'data');
  return socket;
}

const native = loadNativeAddon();

describe.skipIf(!('addon' in native) && process.env.CI !== 'true')('the kernel', () => {
  it('tells of many connections at once, and nothing of those that are none', async () => {
    const socket = await accepted(createServer(), 'connection', (port) => connect(port));
    const reader = new TcpFactsReader(native);
    expect(reader.isAble).toBe(true);
    const descriptor = descriptorOf(socket);
    const rows = reader.read([descriptor, -1, ...Array(100).fill(descriptor)]);
    expect(rows).toHaveLength(102);
    expect(rows[0]?.roundTripUs).toBeGreaterThan(0);
    expect(rows[0]).toMatchObject({ queuedBytes: 0, timeouts: 0 });
    expect(rows[1]).toEqual({});
    expect(rows.at(-1)?.leastRoundTripUs).toBe(rows[0]?.leastRoundTripUs);
  });

  it('tells of what lies below TLS, too, to which nobody else may write', async () => {
    const folder = scratchFolder();
    ends.push(() => folder.remove());
    makeCertificate({ folder: folder.path, name: 'a' });
    const file = (ending: string) => readFileSync(join(folder.path, `a.${ending}`));
    const server = createSecureServer({ cert: file('crt'), key: file('key') });
    const socket = await accepted(server, 'secureConnection', (port) =>
      connectSecurely({ port, rejectUnauthorized: false }),
    );
    expect(descriptorOf(socket)).toBe(-1);
    const [row] = new TcpFactsReader(native).read([kernelDescriptorOf(socket)]);
    expect(row?.roundTripUs).toBeGreaterThan(0);
  });
});

it('tells nothing without the addon', () => {
  const reader = new TcpFactsReader({ reason: 'it is switched off' });
  expect(reader.isAble).toBe(false);
  expect(reader.read([0, 1])).toEqual([{}, {}]);
});
