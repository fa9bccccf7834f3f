import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { PlayerFacts, SyncEvent, SyncMessage } from '../../src/observing/sync-message.ts';
import { encodeHello, encodeTimeRequest } from '../../src/protocol/messages.ts';
import { LiveClient } from '../support/live-client.ts';
import { namespacesAreOff } from '../support/network-namespace.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { helloOf, ScriptedClient } from '../support/scripted-client.ts';
import { SyncScene } from '../support/sync-scene.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const tone = 'stream.source=tone:///?name=Radio&codec=pcm';

/** One who looks, and what it knows by now. */
class Viewer {
  readonly client: LiveClient;
  readonly #seen = { texts: 0 };
  readonly verdicts = new Map<string, string>();
  readonly players = new Map<string, PlayerFacts>();
  readonly events: SyncEvent[] = [];
  hasTcpFacts: boolean | undefined;
  messages = 0;

  static async open(server: TestServer, players: readonly string[]): Promise<Viewer> {
    const viewer = new Viewer(await LiveClient.open(server.httpPort));
    viewer.watch({ sync: { players } });
    return viewer;
  }

  private constructor(client: LiveClient) {
    this.client = client;
  }

  watch(members: object): void {
    this.client.webSocket.send(JSON.stringify({ watch: members }));
  }

  /** Waits until that is so, by what is told meanwhile. */
  async until(condition: () => boolean, what: string): Promise<void> {
    await until(() => {
      this.look();
      return condition();
    }, what);
  }

  look(): void {
    for (const text of this.client.texts.slice(this.#seen.texts)) {
      this.#seen.texts += 1;
      if ('sync' in text) this.#take(text.sync as SyncMessage);
    }
  }

  #take({ server, verdicts = [], gone = [], players = [], events = [] }: SyncMessage): void {
    this.messages += 1;
    if (server) this.hasTcpFacts = server.hasTcpFacts;
    for (const id of gone) this.verdicts.delete(id);
    for (const [id, who, level] of verdicts) this.verdicts.set(id, `${who} ${level}`);
    for (const facts of players) this.players.set(facts.id, facts);
    this.events.push(...events);
  }
}

let server: TestServer;
const players: ScriptedClient[] = [];
let asking: NodeJS.Timeout;

/** It asks for the time once a second, as players do. */
async function player(id: string, rest: Parameters<typeof ScriptedClient.greet>[2] = {}) {
  const port = rest.transport === undefined ? server.port : server.httpPort;
  const client = await ScriptedClient.greet(port, id, rest);
  players.push(client);
  await until(() => server.application.registry.clients.get(id)?.isConnected === true);
  return client;
}

describe('who looks at the players', () => {
  beforeEach(async () => {
    server = await TestServer.start(tone);
    asking = setInterval(() => {
      for (const client of players) client.requestTime(7);
    }, 1000);
  });

  afterEach(async () => {
    clearInterval(asking);
    delete process.env.ZEROCAST_NATIVE;
    for (const client of players.splice(0)) client.close();
    await server.stop();
  });

  it('is told the verdict of all, and the figures of those that it asks for', async () => {
    await player('a');
    await player('b', { transport: 'WebSocket' });
    await player('c');
    const viewer = await Viewer.open(server, ['a', 'b', 'nobody']);
    await viewer.until(() => viewer.verdicts.size === 3 && viewer.messages > 3, 'all are judged');
    expect([...viewer.verdicts.values()]).toEqual(Array(3).fill('nobody good'));
    expect([...viewer.players.keys()]).toEqual(['a', 'b']);
    expect(viewer.hasTcpFacts).toBe(true);
    for (const [id, transport] of [
      ['a', 'tcp'],
      ['b', 'websocket'],
    ] as const) {
      const facts = viewer.players.get(id)!;
      expect(facts).toMatchObject({ id, stream: 'Radio', transport, skippedChunks: 0 });
      expect(facts.roundTripMs).toBeGreaterThan(0);
      expect(facts.resentPerSecond).toBe(0);
      expect(facts.queueMs).toBeGreaterThanOrEqual(0);
      expect(facts.driftPpm).toBeUndefined();
      expect(facts.own).toBeUndefined();
    }
    expect(viewer.events.map(({ what, id }) => `${what} ${id}`)).toContain('joined b');
    viewer.client.webSocket.terminate();
  });

  it('is told who has gone, and why', async () => {
    const gone = await player('a');
    const viewer = await Viewer.open(server, ['a']);
    await viewer.until(() => viewer.verdicts.has('a'), 'it is judged');
    gone.close();
    await viewer.until(() => !viewer.verdicts.has('a'), 'it is not judged any more');
    const left = viewer.events.find(({ what }) => what === 'left');
    expect(left).toMatchObject({ side: 'player', id: 'a', text: 'closed by the client' });
    viewer.client.webSocket.terminate();
  });

  it('is told that a stream is broken, and not what files there are', async () => {
    const viewer = await Viewer.open(server, []);
    const folder = makeScratchFolder();
    onTestFinished(() => removeScratchFolder(folder));
    const path = join(folder, 'fifo');
    await server.application.streams.addTrusted(`pipe://${path}?name=Pipe&mode=read`);
    writeFileSync(path, 'no fifo');
    const broken = () => viewer.events.find(({ what }) => what === 'streamBroken');
    await viewer.until(() => broken() !== undefined, 'it is broken');
    const text = `the pipe ${path} cannot be used: the log of the server says why`;
    expect(broken()).toMatchObject({ side: 'source', id: 'Pipe', text });
    viewer.client.webSocket.terminate();
  });

  it('is told nothing any more when it looks elsewhere', async () => {
    await player('a');
    const viewer = await Viewer.open(server, ['a']);
    const other = await Viewer.open(server, ['a']);
    await viewer.until(() => viewer.messages > 1, 'it is told');
    viewer.watch({});
    await viewer.client.ask({ time: 1 });
    viewer.look();
    const { messages } = viewer;
    other.look();
    const told = other.messages;
    await other.until(() => other.messages > told + 1, 'the other one is');
    viewer.look();
    expect(viewer.messages).toBe(messages);
    other.client.webSocket.terminate();
    viewer.watch({ sync: true });
    await viewer.until(() => viewer.messages > messages, 'it is told again');
    viewer.client.webSocket.terminate();
  });

  it('is told what a page says of its own player, for as long as it says so', async () => {
    await player('page', { transport: 'WebSocket' });
    const viewer = await Viewer.open(server, ['page']);
    await viewer.until(() => viewer.players.has('page'), 'it is told');
    const own = { errorMs: 12, outputLatencyMs: 30, resyncs: 0, underruns: 0 };
    const say = (more: object) =>
      viewer.client.webSocket.send(JSON.stringify({ player: { id: 'page', ...own, ...more } }));
    say({ roundTripMs: 'soon', x: 1 });
    await viewer.until(() => viewer.players.get('page')?.own !== undefined, 'it is believed');
    expect(viewer.players.get('page')?.own).toEqual(own);
    await viewer.until(() => viewer.verdicts.get('page') === 'player bad', 'it is judged by that');
    await viewer.until(() => viewer.players.get('page')?.own === undefined, 'it is old by now');
    viewer.client.webSocket.terminate();
  });

  it.each([
    [{ watch: { sync: 'all' } }, /"sync"/],
    [{ watch: { sync: { players: 'a' } } }, /"players"/],
    [{ watch: { sync: { players: [1] } } }, /"players"/],
    [
      { watch: { sync: { players: Array.from({ length: 201 }, (_, i) => `${i}`) } } },
      /at most 200/,
    ],
    [{ player: 7 }, /"player"/],
    [{ player: { errorMs: 1 } }, /"player"/],
  ])('and asks for nonsense is told so: %j', async (request, message) => {
    const client = await LiveClient.open(server.httpPort);
    expect(await client.ask(request)).toMatchObject({
      error: { message: expect.stringMatching(message) },
    });
    client.webSocket.terminate();
  });
});

describe('without the addon', () => {
  it('nothing is told that was not measured', async () => {
    process.env.ZEROCAST_NATIVE = 'off';
    server = await TestServer.start(tone);
    delete process.env.ZEROCAST_NATIVE;
    const client = await player('a');
    const viewer = await Viewer.open(server, ['a']);
    await viewer.until(() => viewer.players.has('a'), 'it is told');
    expect(viewer.hasTcpFacts).toBe(false);
    const { roundTripMs, queueMs, resentPerSecond } = viewer.players.get('a')!;
    expect([roundTripMs, queueMs, resentPerSecond]).toEqual([undefined, undefined, undefined]);
    // It says nothing more: whether it or its network is at fault cannot be known here.
    await viewer.until(() => viewer.verdicts.get('a') === 'unclear bad', 'it is silent');
    client.close();
    players.length = 0;
    viewer.client.webSocket.terminate();
    await server.stop();
  });
});

describe.skipIf(namespacesAreOff)('the one at fault is', () => {
  let scene: SyncScene;
  let viewer: Viewer;

  beforeEach(async () => {
    scene = await SyncScene.open();
    viewer = await Viewer.open(scene.server, ['weak', 'stuck', 'fed', 'well']);
    await viewer.until(() => viewer.verdicts.size === 4, 'all are judged');
  });

  afterEach(async () => {
    viewer.client.webSocket.terminate();
    await scene.close();
  });

  it('the network, the player and the source, each where it is, and nobody else', async () => {
    await viewer.until(
      () => [...viewer.verdicts.values()].every((verdict) => verdict === 'nobody good'),
      'all are well',
    );
    const begunMs = performance.now();
    scene.weakNetwork.disturb({ lossPercent: 8, delayMs: 5, jitterMs: 5 });
    scene.stuckMachine.freeze(true);
    scene.producer.pause(true);
    const blamed = new Map<string, string>();
    const note = () => {
      for (const [id, verdict] of viewer.verdicts) {
        if (verdict !== 'nobody good' && !blamed.has(id)) blamed.set(id, verdict.split(' ')[0]!);
      }
      return blamed.size >= 3;
    };
    await viewer.until(note, 'three are blamed');
    expect(performance.now() - begunMs).toBeLessThan(15_000);
    expect(Object.fromEntries(blamed)).toEqual({ weak: 'network', stuck: 'player', fed: 'source' });
    expect(viewer.verdicts.get('well')).toBe('nobody good');
  });

  it('the network when the cable is out', async () => {
    scene.weakNetwork.cut();
    await viewer.until(() => viewer.verdicts.get('weak') === 'network bad', 'it is blamed');
    expect(viewer.players.get('weak')?.verdict.because[0]?.reason).toBe('unacknowledged');
  });

  it('the player that reads nothing, although it talks', async () => {
    const say = encodeHello(helloOf('deaf'), 2);
    const deaf = { name: 'deaf', port: scene.server.port, say, ask: encodeTimeRequest(9) };
    await scene.stuckMachine.connect([{ ...deaf, reads: false }]);
    viewer.watch({ sync: { players: ['deaf'] } });
    await viewer.until(() => viewer.verdicts.get('deaf') === 'player bad', 'it is blamed');
    const because = viewer.players.get('deaf')?.verdict.because ?? [];
    expect(because.map(({ reason }) => reason)).toContain('notReading');
  });

  it('the server when it stands still', async () => {
    const untilUs = performance.now() + 700;
    while (performance.now() < untilUs);
    await viewer.until(() => viewer.verdicts.get('well') === 'server bad', 'it is blamed');
    expect(viewer.events.map(({ what }) => what)).toContain('serverStalled');
  });
});
