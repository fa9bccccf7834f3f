import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NetworkNamespace, namespacesAreOff } from '../support/network-namespace.ts';
import { freePort } from '../support/server-process.ts';
import { TestServer } from '../support/test-server.ts';

const peerTimeoutMs = 3000;
const waitMs = 40_000;
/** What a producer writes: 20 ms of 48000:16:2 every 20 ms, all of it loud. */
const produce = `setInterval(() => socket.write(Buffer.alloc(3840, 0x11)), 20);
  socket.on('error', (error) => console.log(error.message));`;

let network: NetworkNamespace;
let server: TestServer | undefined;

beforeEach((context) => {
  if (namespacesAreOff) return context.skip();
  network = new NetworkNamespace();
});

afterEach(async () => {
  await server?.stop();
  server = undefined;
  if (!namespacesAreOff) await network.close();
});

async function startServer(source: string): Promise<TestServer> {
  server = await TestServer.start(
    `server.peer_timeout=${peerTimeoutMs}`,
    `stream.source=${source}&codec=pcm&sampleformat=48000:16:2`,
  );
  return server;
}

async function logged({ log }: TestServer, text: string, count = 1): Promise<void> {
  const deadlineMs = performance.now() + waitMs;
  while (log.with(text).length < count) {
    if (performance.now() > deadlineMs) {
      throw new Error(
        `not logged: ${text}\n${log.lines.map((line) => JSON.stringify(line)).join('\n')}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function stateOf({ application }: TestServer): string | undefined {
  return application.streams.channels.get('N')?.stream.state;
}

describe('a producer whose network is gone', () => {
  it('is noticed by a source that listens, which takes the next one', async () => {
    const port = await freePort();
    const running = await startServer(`tcp://0.0.0.0:${port}?name=N`);
    const connect = `const socket = require('node:net').connect(${port}, '${network.here}');`;
    network.run(`${connect} ${produce}`);
    await logged(running, '"state":"playing"');
    const cutMs = performance.now();
    network.cut();
    await logged(running, 'producer left');
    expect(performance.now() - cutMs).toBeGreaterThan(peerTimeoutMs / 2);
    expect(running.log.with('producer left')[0]?.fields.reason).toContain('network is gone');
    expect(stateOf(running)).toBe('idle');
    network.fix();
    network.run(`${connect} ${produce}`);
    await logged(running, 'producer connected', 2);
    await logged(running, '"state":"playing"', 2);
  });

  it('is noticed by a source that connects, which comes back', async () => {
    const port = await freePort();
    const listen = `require('node:net').createServer((socket) => { ${produce} })
      .listen(${port}, () => console.log('listening'));`;
    await network.run(listen).waitFor(/listening/);
    const running = await startServer(`tcp://${network.there}:${port}?name=N&mode=client`);
    await logged(running, '"state":"playing"');
    network.cut();
    await logged(running, 'producer left');
    expect(running.log.with('producer left')[0]?.fields.reason).toContain('network is gone');
    expect(stateOf(running)).toBe('idle');
    // Whoever does not answer is tried again and again, and that is logged once.
    await logged(running, 'producer not reachable');
    network.fix();
    await logged(running, 'connected to producer', 2);
    await logged(running, '"state":"playing"', 2);
  });
});
