import { once } from 'node:events';
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { adoptSocket, copyingSocket } from '../../../../src/base/net/adopt-socket.ts';
import { openDescriptors } from '../../../support/fifo.ts';
import { numberedBytes } from '../../../support/pcm-fixtures.ts';
import { SourceHarness } from '../../../support/source-harness.ts';
import { until } from '../../../support/waiting.ts';

const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((net) => net?.address === '::1');
const ipv6Hosts = hasIpv6 ? ['[::1]'] : [];
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A started source that listens, and the address at which it does. */
async function listening(address: string): Promise<{ harness: SourceHarness; port: number }> {
  const harness = new SourceHarness(address).start();
  cleanups.push(() => harness.source.stop());
  await until(() => harness.logged('waiting for a producer').length > 0, 'it listens');
  const text = String(harness.logged('waiting for a producer')[0]?.fields.address);
  return { harness, port: Number(text.slice(text.lastIndexOf(':') + 1)) };
}

async function producer(port: number, host = '127.0.0.1'): Promise<net.Socket> {
  const socket = net.connect({ host, port });
  socket.on('error', () => undefined);
  cleanups.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** A producer that listens; every connection gets `audio`. */
async function listeningProducer(audio: Buffer): Promise<net.AddressInfo> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(audio);
  });
  cleanups.push(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port');
  return address;
}

describe('a TCP source that listens', () => {
  it('logs who has connected, with the port', async () => {
    const { harness, port } = await listening('tcp://127.0.0.1:0?port=0');
    const { localPort } = await producer(port);
    await until(() => harness.logged('producer connected').length > 0, 'it is connected');
    const [line] = harness.logged('producer connected');
    expect(line?.fields).toEqual({ from: `127.0.0.1:${localPort}` });
  });

  it.each(['127.0.0.1', 'localhost', '0.0.0.0', '', ...ipv6Hosts])(
    'takes a producer at "%s"',
    async (host) => {
      const { harness, port } = await listening(`tcp://${host}${host && ':0'}?port=0`);
      const target = host === '[::1]' ? '::1' : host === 'localhost' ? 'localhost' : '127.0.0.1';
      const socket = await producer(port, target);
      const audio = numberedBytes(40_000);
      socket.write(audio);
      expect((await harness.read(40_000)).equals(audio)).toBe(true);
    },
  );

  it('lets the newest producer win and voids what the older one left', async () => {
    const { harness, port } = await listening('tcp://127.0.0.1:0');
    const target = harness.ask(1000);
    const older = await producer(port);
    older.write(numberedBytes(500));
    await until(() => target[499] !== 0xee, 'the older one is heard');
    const newer = await producer(port);
    const audio = numberedBytes(1000, 7000);
    newer.write(audio);
    await harness.whenFilled(1);
    expect(target.equals(audio)).toBe(true);
    expect(harness.interruptions).toEqual(['a newer producer takes over']);
    expect(harness.logged('newer producer takes over').length).toBe(1);
    await until(() => older.closed || older.readableEnded, 'the older one is told');
  });

  it('drains what a producer sent before it left, then starts anew', async () => {
    const { harness, port } = await listening('tcp://127.0.0.1:0');
    const audio = numberedBytes(2500);
    const first = await producer(port);
    first.end(audio);
    expect((await harness.read(1000)).equals(audio.subarray(0, 1000))).toBe(true);
    expect((await harness.read(1000)).equals(audio.subarray(1000, 2000))).toBe(true);
    const tail = await harness.read(1000);
    expect(tail.equals(Buffer.concat([audio.subarray(2000), Buffer.alloc(500)]))).toBe(true);
    await until(() => harness.interruptions.length === 1, 'the end is seen');
    const second = await producer(port);
    second.write(audio);
    expect((await harness.read(1000)).equals(audio.subarray(0, 1000))).toBe(true);
  });

  it('voids what waits of a producer that has left when a newer one comes, and says so', async () => {
    const { harness, port } = await listening('tcp://127.0.0.1:0');
    const first = await producer(port);
    first.end(numberedBytes(2500));
    expect((await harness.read(1000)).equals(numberedBytes(1000))).toBe(true);
    first.resume();
    await until(() => first.closed, 'its end is seen');
    const audio = numberedBytes(1000, 7000);
    const second = await producer(port);
    await until(() => harness.interruptions.length === 1, 'it takes over');
    expect(harness.interruptions).toEqual(['a newer producer takes over']);
    second.write(audio);
    expect((await harness.read(1000)).equals(audio)).toBe(true);
  });

  it('survives a producer that resets the connection', async () => {
    const { harness, port } = await listening('tcp://127.0.0.1:0');
    const target = harness.ask(1000);
    const first = await producer(port);
    first.write(numberedBytes(100));
    await until(() => target[99] !== 0xee, 'it is heard');
    first.resetAndDestroy();
    await until(() => harness.interruptions.length === 1, 'the reset is seen');
    expect(target.equals(Buffer.concat([numberedBytes(100), Buffer.alloc(900)]))).toBe(true);
    const second = await producer(port);
    second.write(numberedBytes(1000));
    expect((await harness.read(1000)).equals(numberedBytes(1000))).toBe(true);
  });

  it('says that the port is in use, which one, and what to do', async () => {
    const { port } = await listening('tcp://127.0.0.1:0');
    const second = new SourceHarness(`tcp://127.0.0.1:${port}`).start();
    await until(() => second.failures.length > 0, 'it fails');
    expect(second.failures[0]?.code).toBe('address-in-use');
    expect(second.failures[0]?.message).toContain(`cannot listen on 127.0.0.1:${port}`);
    expect(second.failures[0]?.message).toContain('choose another port');
    await second.source.stop();
  });

  it('says that the address is not one of this machine', async () => {
    const harness = new SourceHarness('tcp://192.0.2.1:0').start();
    await until(() => harness.failures.length > 0, 'it fails');
    expect(harness.failures[0]?.code).toBe('address-unknown');
  });

  it('frees its port when it is stopped', async () => {
    const { harness, port } = await listening('tcp://127.0.0.1:0');
    await producer(port);
    await harness.source.stop();
    const again = await listening(`tcp://127.0.0.1:${port}`);
    expect(again.port).toBe(port);
  });

  it('opens nothing any more when it is stopped while it looks up its name', async () => {
    const before = openDescriptors();
    const harness = new SourceHarness('tcp://localhost:0').start();
    await harness.source.stop();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(openDescriptors()).toBe(before);
    expect(harness.failures).toEqual([]);
  });

  it('takes the port from the query, that of the address first, 4953 by default', async () => {
    const { port: free } = await listeningProducer(Buffer.alloc(0));
    const taken = new SourceHarness(`tcp://127.0.0.1?port=${free}`).start();
    await until(() => taken.failures.length > 0, 'it fails');
    expect(taken.failures[0]?.message).toContain(`127.0.0.1:${free}`);
    const { port } = await listening(`tcp://127.0.0.1:0?port=${free}`);
    expect(port).not.toBe(free);
    const standard = new SourceHarness('tcp://192.0.2.1').start();
    await until(() => standard.failures.length > 0, 'it fails');
    expect(standard.failures[0]?.message).toContain('192.0.2.1:4953');
  });

  it.each([
    ['tcp://h?mode=both', 'write server or client'],
    ['tcp://h?port=70000', 'a whole number from 0 to 65535'],
    ['tcp://h?port=1.5', 'a whole number from 0 to 65535'],
    ['tcp://?mode=client', 'write tcp://host:port?mode=client'],
    ['tcp://h:0?mode=client', 'write tcp://host:port?mode=client'],
  ])('refuses %s', (address, message) => {
    expect(() => new SourceHarness(address)).toThrow(message);
  });
});

describe('a TCP source that connects', () => {
  it.each(['127.0.0.1', 'localhost'])(
    'reads from a producer at %s, again and again',
    async (host) => {
      const audio = numberedBytes(2500);
      const { port } = await listeningProducer(audio);
      const harness = new SourceHarness(`tcp://${host}:${port}?mode=client`).start();
      cleanups.push(() => harness.source.stop());
      for (let round = 1; round <= 2; round += 1) {
        expect((await harness.read(1000)).equals(audio.subarray(0, 1000))).toBe(true);
        expect((await harness.read(1000)).equals(audio.subarray(1000, 2000))).toBe(true);
        const tail = Buffer.concat([audio.subarray(2000), Buffer.alloc(500)]);
        expect((await harness.read(1000)).equals(tail)).toBe(true);
        expect(harness.interruptions.length).toBe(round);
      }
      expect(new Set(harness.interruptions)).toEqual(
        new Set(['the producer closed the connection']),
      );
    },
  );

  it('logs once that nobody answers, and connects as soon as somebody does', async () => {
    const { port } = await listeningProducer(Buffer.alloc(0));
    await cleanups.pop()?.();
    const harness = new SourceHarness(`tcp://127.0.0.1:${port}?mode=client`).start();
    cleanups.push(() => harness.source.stop());
    await new Promise((resolve) => setTimeout(resolve, 2300));
    expect(harness.logged('producer not reachable').length).toBe(1);
    expect(harness.interruptions).toEqual([]);
    const server = net.createServer((socket) => socket.end(numberedBytes(8)));
    cleanups.push(() => server.close());
    server.listen(port, '127.0.0.1');
    expect((await harness.read(8)).equals(numberedBytes(8))).toBe(true);
  });

  it('can be stopped while it connects', async () => {
    const before = openDescriptors();
    const harness = new SourceHarness('tcp://192.0.2.1:9?mode=client').start();
    await harness.source.stop();
    expect(openDescriptors()).toBe(before);
  });
});

describe.each([
  ['an adopted socket', adoptSocket],
  ['a copying socket', copyingSocket],
])('%s', (_, convert) => {
  it('fills the memory that it is given, pauses on false, and ends', async () => {
    const audio = numberedBytes(300_000);
    const read = Buffer.alloc(audio.length + 1); // an empty buffer would be an error
    let bytes = 0;
    let pauses = 0;
    let ended = false;
    const server = net.createServer({ pauseOnConnect: true }, (created) => {
      const socket = convert(created, {
        buffer: () => read.subarray(bytes, bytes + 1500),
        callback: (count) => {
          bytes += count;
          if (bytes % 7 !== 0) return true;
          pauses += 1;
          setTimeout(() => socket.resume(), 1);
          return false;
        },
      });
      socket.on('end', () => {
        ended = true;
      });
      socket.resume();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('the server has no port');
    const peer = await producer(address.port);
    peer.end(audio);
    await until(() => ended, 'the end is seen');
    expect(bytes).toBe(audio.length);
    expect(read.subarray(0, bytes).equals(audio)).toBe(true);
    expect(pauses).toBeGreaterThan(0);
    await new Promise((resolve) => server.close(resolve));
  });
});
