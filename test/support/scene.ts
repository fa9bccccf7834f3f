import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { SampleFormat } from '../../src/audio/sample-format.ts';
import { feedPipe, feedRtp, feedTcp } from './feeder.ts';
import { freePort, ServerProcess } from './server-process.ts';
import { type Recording, Snapclient } from './snapclient.ts';

export interface Scene {
  readonly format: SampleFormat;
  readonly codec: string;
  /** The audio to feed, once. */
  readonly fed: Buffer;
  readonly via: 'pipe' | 'rtp' | 'tcp';
  /** Clients that are there before the feed begins. */
  readonly earlyClients: number;
  /** One more client that starts so long after the feed has begun. */
  readonly lateClientAfterMs?: number;
  /** Further command-line options of the server. */
  readonly options?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** A way of the server to send, as asked for by its surroundings, and what its log says of it. */
interface Way {
  readonly name: string;
  readonly options: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly session: string;
}

/** Sends that are never given up, however small: what is unusual shall be the rule here. */
const zeroCopyOptions = ['-z', '--stream.zerocopy_min_bytes=1', '--stream.zerocopy_mode=always'];
const javaScript = { ZEROCAST_NATIVE: 'off' };
const regular = 'Creating regular TCP session';

const ways: readonly Way[] = [
  { name: 'native', options: [], environment: {}, session: regular },
  {
    name: 'native, -z',
    options: zeroCopyOptions,
    environment: {},
    session: 'Creating zerocopy-enabled session',
  },
  { name: 'JavaScript', options: [], environment: javaScript, session: regular },
  { name: 'JavaScript, -z', options: zeroCopyOptions, environment: javaScript, session: regular },
];

/** Plays one scene by every way to send, side by side; a fault names the way. */
export async function playEveryWay(
  scene: Scene,
  check: (recordings: readonly Recording[]) => void,
): Promise<void> {
  const outcomes = await Promise.allSettled(
    ways.map(async ({ options, environment, session }) => {
      check(
        await play(
          { ...scene, options: [...(scene.options ?? []), ...options], environment },
          session,
        ),
      );
    }),
  );
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === 'fulfilled') continue;
    throw new Error(`${ways[index]?.name}: ${outcome.reason}`, { cause: outcome.reason });
  }
}

/**
 * Plays one scene: a server, one feed and real clients; returns what each client recorded, in
 * order. Fails unless the log of the server has `mustBeLogged`.
 */
async function play(scene: Scene, mustBeLogged: string): Promise<readonly Recording[]> {
  const folder = mkdtempSync(join(tmpdir(), 'zerocast-scene-'));
  const source = await sourceOf(scene, folder);
  const server = await ServerProcess.start({
    sources: [source.address],
    options: scene.options ?? [],
    environment: scene.environment ?? {},
  });
  const clients: Snapclient[] = [];
  const startClient = async () => {
    const hostId = `client-${clients.length}`;
    clients.push(await Snapclient.start({ port: server.streamPort, hostId }));
  };
  try {
    // Its encoder takes its time, and four servers begin together: that is no delay of the audio.
    await server.log.waitFor(/stream started/);
    for (let index = 0; index < scene.earlyClients; index += 1) await startClient();
    const feed = source.feed();
    if (scene.lateClientAfterMs !== undefined) {
      await setTimeout(scene.lateClientAfterMs);
      await startClient();
    }
    await feed;
    await Promise.all(clients.map((client) => client.playedOut(scene.format)));
    const recordings = await Promise.all(clients.map((client) => client.stop(scene.format)));
    await server.stop();
    if (!server.log.text.includes(mustBeLogged)) throw new Error(`no "${mustBeLogged}" logged`);
    return recordings;
  } catch (error) {
    throw new Error(`the server printed:\n${server.log.text}`, { cause: error });
  } finally {
    await Promise.all([server.kill(), ...clients.map((client) => client.kill())]);
    rmSync(folder, { recursive: true, force: true });
  }
}

interface TestSource {
  readonly address: string;
  feed(): Promise<void>;
}

async function sourceOf({ via, fed, format, codec }: Scene, folder: string): Promise<TestSource> {
  const query = `name=default&sampleformat=${format}&codec=${codec}`;
  if (via === 'rtp') {
    const port = await freePort();
    return { address: `rtp://127.0.0.1:${port}?${query}`, feed: () => feedRtp(port, fed) };
  }
  if (via === 'pipe') {
    const fifo = join(folder, 'fifo');
    return { address: `pipe://${fifo}?${query}&mode=create`, feed: () => feedPipe(fifo, fed) };
  }
  const port = await freePort();
  return { address: `tcp://127.0.0.1:${port}?${query}`, feed: () => feedTcp(port, fed) };
}
