import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { messageType } from '../../src/protocol/layout.ts';
import { encodeHello } from '../../src/protocol/messages.ts';
import { ControlClient } from '../support/control-client.ts';
import { type FarPeer, NetworkNamespace, namespacesAreOff } from '../support/network-namespace.ts';
import { helloOf, ScriptedClient } from '../support/scripted-client.ts';
import { expectUnbroken } from '../support/stream-checks.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const peerTimeoutMs = 3000;
/** Waiting for a busy machine; within the timeout itself the kernel decides. */
const patienceMs = 30_000;
const setMuted = (id: string) =>
  JSON.stringify({
    id: 1,
    jsonrpc: '2.0',
    method: 'Client.SetVolume',
    params: { id, volume: { percent: 50, muted: true } },
  });

let server: TestServer | undefined;

afterEach(async () => {
  delete process.env.ZEROCAST_NATIVE;
  await server?.stop();
  server = undefined;
});

interface Stage {
  readonly server: TestServer;
  readonly far: NetworkNamespace;
  readonly healthy: ScriptedClient;
  readonly controller: ControlClient;
}

async function stage(...settings: string[]): Promise<Stage> {
  const far = new NetworkNamespace();
  onTestFinished(() => far.close());
  const addresses = ['tcp-streaming', 'tcp-control', 'http'].map(
    (section) => `${section}.bind_to_address=${far.here}`,
  );
  const started = await TestServer.start(
    'stream.source=tone:///?name=Tone&codec=pcm',
    'stream.buffer=2000',
    'stream.resync_tolerance=1500',
    ...addresses,
    ...settings,
  );
  server = started;
  const healthy = await ScriptedClient.greet(started.port, 'healthy');
  const controller = await ControlClient.connect(started.controlPort);
  onTestFinished(() => {
    healthy.close();
    controller.close();
  });
  await healthy.untilCount(messageType.wireChunk, 10);
  return { server: started, far, healthy, controller };
}

function peersOf({ port, controlPort, httpPort }: TestServer): readonly FarPeer[] {
  const hello = (id: string) => encodeHello(helloOf(id), 2);
  return [
    { name: 'player', port, say: hello('player') },
    { name: 'muted', port, say: hello('muted') },
    { name: 'browser', port: httpPort, webSocket: '/stream', say: hello('browser') },
    { name: 'listener', port: controlPort },
    { name: 'page', port: httpPort, webSocket: '/jsonrpc' },
  ];
}

/** How the connections of the far network ended, in the log. */
function endings({ log }: TestServer): string[] {
  return [...log.with('session closed'), ...log.with('controller disconnected')].map(({ fields }) =>
    String(fields.reason),
  );
}

/** Connects peers of these names, and then pulls the cable. */
async function untilCut({ server, far, controller }: Stage, names: readonly string[]) {
  const { server: players, control, registry } = server.application;
  const peers = peersOf(server).filter(({ name }) => names.includes(name));
  await far.connect(peers);
  await until(() => players.sessionCount + control.sessionCount === peers.length + 2);
  if (names.includes('muted')) {
    await until(() => registry.clients.has('muted'));
    controller.send(`${setMuted('muted')}\r\n`);
    await until(() => registry.clients.get('muted')?.isMuted === true);
    // Whatever went to the muted one is acknowledged.
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  far.cut();
}

/** Waits until only those of this machine are left; returns how long that took. */
async function untilGone({ server }: Stage, patienceMs: number): Promise<number> {
  const { server: players, control } = server.application;
  const cutMs = performance.now();
  while (players.sessionCount > 1 || control.sessionCount > 1) {
    if (performance.now() - cutMs > patienceMs) throw new Error('some are still there');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return performance.now() - cutMs;
}

async function untilTold({ controller }: Stage): Promise<void> {
  const told = () => controller.inbox.notifications('Client.OnDisconnect');
  await until(() => told().length === 3, 'controllers are told');
  expect(told().map(({ params }) => params?.id)).toEqual(
    expect.arrayContaining(['browser', 'muted', 'player']),
  );
}

async function expectHealthy({ healthy }: Stage): Promise<void> {
  const seen = healthy.chunks.length;
  await healthy.untilCount(messageType.wireChunk, seen + 20);
  expectUnbroken(healthy);
}

describe.skipIf(namespacesAreOff)('peers whose network is gone', () => {
  it('are ended in time, whatever they were, and nobody else has a gap', async () => {
    const scene = await stage(`server.peer_timeout=${peerTimeoutMs}`);
    await untilCut(scene, ['player', 'muted', 'browser', 'listener', 'page']);
    // The keepalive of the kernel counts in seconds, and a busy machine looks late.
    expect(await untilGone(scene, patienceMs)).toBeLessThan(3 * peerTimeoutMs);
    await untilTold(scene);
    const reasons = endings(scene.server);
    expect(reasons).toHaveLength(5);
    for (const reason of reasons) expect(reason).toMatch(/vanished|pings were in vain/);
    await expectHealthy(scene);
  });

  it('are ended without the addon, too, by keepalive and the progress of writes', async () => {
    process.env.ZEROCAST_NATIVE = 'off';
    const stall = 'tcp-streaming.stall_timeout=1000';
    const scene = await stage(`server.peer_timeout=${peerTimeoutMs}`, stall);
    await untilCut(scene, ['player', 'muted', 'browser', 'page']);
    await untilGone(scene, patienceMs);
    await untilTold(scene);
    await expectHealthy(scene);
  });

  it('are ended without the addon when nothing is said to them', async () => {
    process.env.ZEROCAST_NATIVE = 'off';
    const scene = await stage(`server.peer_timeout=${peerTimeoutMs}`);
    await untilCut(scene, ['listener']);
    await untilGone(scene, patienceMs);
    expect(endings(scene.server)).toEqual(['the peer has vanished (read ETIMEDOUT)']);
  });
});
