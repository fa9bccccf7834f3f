/**
 * What the figures of the sync observatory are while something known is wrong, as a table for
 * docs/observatory.md: node --import tsx test/bench/sync-limits.ts [pcm|flac]. Needs root and a C++
 * compiler, and takes eight minutes.
 */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { createServer } from '../../src/index.ts';
import type { PlayerFacts, SyncMessage } from '../../src/observing/sync-message.ts';
import { encodeHello, encodeTimeRequest } from '../../src/protocol/messages.ts';
import { BadNetwork, type Disturbance } from '../support/bad-network.ts';
import { helloOf } from '../support/scripted-client.ts';

const settleMs = 11_000;
const lookMs = 10_000;
const codec = process.argv[2] ?? 'pcm';

const network = await BadNetwork.open();
const server = createServer({
  stream: { codec, source: ['tone:///?name=Radio'] },
  tcpStreaming: { port: 0, bindToAddress: [network.here] },
  tcpControl: { enabled: false },
  http: { port: 0 },
});
await server.listen();
const { streaming = 0, http = 0 } = server.ports as { streaming?: number; http?: number };
await network.connect([
  {
    name: 'far',
    port: streaming,
    say: encodeHello(helloOf('far'), 2),
    ask: encodeTimeRequest(9),
  },
]);

const viewer = new WebSocket(`ws://127.0.0.1:${http}/live`);
await once(viewer, 'open');
const looks: PlayerFacts[] = [];
let delayMs = 0;
viewer.on('message', (text) => {
  const { sync } = JSON.parse(String(text)) as { sync?: SyncMessage };
  delayMs = sync?.server?.loopDelayMs ?? delayMs;
  looks.push(...(sync?.players ?? []));
});
viewer.send(JSON.stringify({ watch: { sync: { players: ['far'] } } }));

console.log('| condition | round trip | ± | waits | sent again | skipped | silent | verdict |');
console.log('|---|---|---|---|---|---|---|---|');

const conditions: readonly (readonly [string, Disturbance])[] = [
  ['nothing', {}],
  ...[0.2, 0.5, 1, 2, 5, 10].map(
    (lossPercent) => [`loss ${lossPercent} %`, { lossPercent }] as const,
  ),
  ...[5, 20, 50, 150].map((delayMs) => [`delay ${delayMs} ms each way`, { delayMs }] as const),
  ...[10, 50].map((jitterMs) => [`jitter to ${jitterMs} ms`, { jitterMs }] as const),
  ...[3000, 1800, 1400].map(
    (kbitPerSecond) => [`${kbitPerSecond} kbit/s`, { kbitPerSecond }] as const,
  ),
];
for (const [name, disturbance] of conditions) {
  network.disturb(disturbance);
  await report(name);
}
network.disturb({});
await wait(settleMs);
network.freeze(true);
await report('player stopped', 3000);
network.freeze(false);
await wait(2 * settleMs);
for (const ms of [60, 150, 400]) {
  const timer = setInterval(() => block(ms), 2000);
  await report(`server blocked ${ms} ms every 2 s`);
  clearInterval(timer);
  console.error(`loop delay ${delayMs} ms`);
}
viewer.terminate();
await server.close();
await network.close();

async function report(name: string, waitMs = settleMs): Promise<void> {
  await wait(waitMs);
  looks.length = 0;
  await wait(lookMs);
  const span = (of: (facts: PlayerFacts) => number | undefined) => {
    const values = looks.map(of).filter((value) => value !== undefined);
    values.sort((a, b) => a - b);
    if (values.length === 0) return '–';
    const [least, most] = [values[0], values.at(-1)];
    return least === most ? `${least}` : `${least}…${most}`;
  };
  const verdicts = new Set(
    looks.map(({ verdict }) =>
      [verdict.who, verdict.level, ...verdict.because.map(({ reason }) => reason)].join(' '),
    ),
  );
  const columns = [
    name,
    span((facts) => facts.roundTripMs),
    span((facts) => facts.roundTripDeviationMs),
    span((facts) => facts.queueMs && facts.queueMs + facts.backlogMs),
    span((facts) => facts.resentPerSecond),
    span((facts) => facts.skippedChunks),
    span((facts) => facts.heardMs),
    [...verdicts].join('; ') || '(nothing changed)',
  ];
  console.log(`| ${columns.join(' | ')} |`);
}

function block(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
