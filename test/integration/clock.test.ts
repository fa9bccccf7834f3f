import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ProbeClient } from '../../src/probe/probe-client.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { decodeWireChunk } from '../../src/protocol/messages.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const ppm = 100;
const chunkMs = 20;
/** So far from the clock of this machine that a stamp of that one is not mistaken for ours. */
const aheadUs = 1e12;

/** Stamps are whole microseconds. */
const roundingUs = 2;

const localUs = () => performance.now() * 1000;
/** What the clock of the server says at a time of the client's. */
const serverUs = (atUs: number) => aheadUs + atUs * (1 + ppm / 1e6);
const fastClock = { nowUs: () => serverUs(localUs()) };

let server: TestServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

function start(): Promise<TestServer> {
  const settings = [`stream.source=tone:///?name=Tone&chunk_ms=${chunkMs}`, 'stream.codec=pcm'];
  return TestServer.startWith({ clock: fastClock }, ...settings);
}

/** One Time exchange: the server has answered at some moment between `askedUs` and `receivedUs`. */
interface Exchange {
  readonly askedUs: number;
  readonly sentUs: number;
  readonly receivedUs: number;
}

async function askTime(client: ScriptedClient): Promise<Exchange> {
  client.received.length = 0;
  const askedUs = localUs();
  client.requestTime(7);
  const [answer] = await client.untilCount(messageType.time, 1);
  if (!answer) throw new Error('there is no answer');
  const { sentUs, receivedUs } = answer;
  return { askedUs, sentUs, receivedUs };
}

/** The shortest of some exchanges. */
async function askOften(client: ScriptedClient): Promise<Exchange> {
  const exchanges: Exchange[] = [];
  for (let asked = 0; asked < 20; asked += 1) exchanges.push(await askTime(client));
  const lengthUs = ({ askedUs, receivedUs }: Exchange) => receivedUs - askedUs;
  return exchanges.reduce((best, next) => (lengthUs(next) < lengthUs(best) ? next : best));
}

describe('a server with a clock that runs 100 ppm fast', () => {
  it('answers Time by that clock', async () => {
    server = await start();
    const client = await ScriptedClient.greet(server.port, 'a');
    await client.untilCount(messageType.serverSettings, 1);
    const first = await askOften(client);
    // Whatever the machine is at: with time the drift outgrows all that messages take.
    for (let isSeen = false; !isSeen; ) {
      await delay(200);
      const last = await askOften(client);
      const leastUs = last.sentUs - last.receivedUs - (first.sentUs - first.askedUs);
      const mostUs = last.sentUs - last.askedUs - (first.sentUs - first.receivedUs);
      const elapsedUs = last.askedUs - first.askedUs;
      expect((elapsedUs * ppm) / 1e6).toBeGreaterThan(leastUs - roundingUs);
      expect((elapsedUs * ppm) / 1e6).toBeLessThan(mostUs + roundingUs);
      isSeen = leastUs > (elapsedUs * ppm) / 1e6 / 2;
    }
    client.close();
  });

  it('stamps each message and each chunk by that clock', async () => {
    server = await start();
    const beganUs = localUs();
    const client = await ScriptedClient.greet(server.port, 'a');
    await client.untilCount(messageType.wireChunk, 50);
    client.requestTime(7);
    await client.untilCount(messageType.time, 1);
    const messages = client.received.filter(({ type }) => type !== messageType.wireChunk);
    expect(messages.length).toBeGreaterThanOrEqual(3);
    for (const { sentUs, receivedUs } of messages) {
      expect(sentUs).toBeGreaterThanOrEqual(serverUs(beganUs) - 1);
      expect(sentUs).toBeLessThanOrEqual(serverUs(receivedUs) + 1);
    }
    const ages = client.chunks.map(({ body, receivedUs }) => {
      const endUs = decodeWireChunk(body).timestampUs + chunkMs * 1000;
      return (serverUs(receivedUs) - endUs) / 1000;
    });
    expect(Math.min(...ages)).toBeGreaterThan(-chunkMs);
    expect(Math.min(...ages)).toBeLessThan(20 * chunkMs);
    client.close();
  });

  it('is followed by a player that goes by its own clock', async () => {
    server = await start();
    const clock = { nowUs: localUs };
    const ends: string[] = [];
    const player = new ProbeClient({
      host: '127.0.0.1',
      port: server.port,
      id: 'probe',
      version: '0',
      clock,
      onAudio: () => {},
      onClose: (reason) => ends.push(reason),
    });
    const beganUs = localUs();
    await until(() => player.chunks >= 50 && player.sync.isSynced, 'audio and time');
    const difference = (atUs: number) => serverUs(atUs) - atUs;
    const { offsetUs, roundTripUs } = player.sync;
    const patienceUs = 20 * chunkMs * 1000 + roundTripUs;
    expect(Math.abs(offsetUs - difference(beganUs))).toBeLessThan(patienceUs);
    expect(player.ageUs).toBeGreaterThan(-patienceUs);
    expect(player.ageUs).toBeLessThan((player.settings?.bufferMs ?? 0) * 1000);
    expect(player.continuity.gaps).toBe(0);
    expect(ends).toEqual([]);
    player.close('done');
  });
});
