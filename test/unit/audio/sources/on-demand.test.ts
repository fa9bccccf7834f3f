import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { ChildPlaces } from '../../../../src/base/children/child-places.ts';
import { scratchFolder } from '../../../support/fifo.ts';
import { StreamRig } from '../../../support/stream-rig.ts';
import { until } from '../../../support/waiting.ts';

const folder = scratchFolder();
const running: StreamRig[] = [];
let programs = 0;

afterEach(async () => {
  for (const rig of running.splice(0)) {
    await rig.stream.stop();
    expect(rig.pool.isFull).toBe(true);
    rig.pool.close();
  }
});
afterAll(() => folder.remove());

/** A stream on a program that plays, and notes each of its starts and ends. */
async function stream(query: string, before: (rig: StreamRig) => void = () => undefined) {
  programs += 1;
  const [path, log] = [
    join(folder.path, `player-${programs}`),
    join(folder.path, `log-${programs}`),
  ];
  const body = `echo start >> ${log}\ntrap 'echo end >> ${log}; exit' TERM\n`;
  const sound = `while head -c 3840 /dev/urandom; do sleep 0.02; done`;
  writeFileSync(path, `#!/bin/sh\n${body}${sound}\n`);
  chmodSync(path, 0o755);
  const children = new ChildPlaces(() => ({ maxChildren: 1 }));
  const address = `process://${path}?name=D&codec=pcm${query}`;
  const rig = new StreamRig(address, {}, undefined, { children });
  running.push(rig);
  before(rig);
  await rig.stream.start();
  const turns = () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []);
  return { rig, children, turns };
}

describe('a program on demand', () => {
  it('runs while there is a listener, and its stream is idle otherwise', async () => {
    const { rig, children, turns } = await stream('&on_demand=true&linger_ms=0');
    await delay(200);
    expect([turns(), rig.stream.state, children.taken]).toEqual([[], 'idle', 1]);
    for (const time of [1, 2]) {
      rig.stream.activate();
      await until(() => rig.states.length === 2 * time - 1, 'it plays');
      rig.stream.deactivate();
      await until(() => rig.states.length === 2 * time, 'it is idle');
      await until(() => turns().length === 2 * time, 'the program has ended');
    }
    expect(turns()).toEqual(['start', 'end', 'start', 'end']);
    expect(rig.states).toEqual(['playing', 'idle', 'playing', 'idle']);
    expect(rig.log.with('program ended')).toEqual([]);
  });

  it('runs for those who listen to the PCM alone, too, until the last has left', async () => {
    const { rig, turns } = await stream('&on_demand=true&linger_ms=0');
    rig.stream.addPcmListener();
    rig.stream.activate();
    await until(() => rig.stream.state === 'playing', 'it plays');
    rig.stream.deactivate();
    await delay(100);
    expect(turns()).toEqual(['start']);
    rig.stream.removePcmListener();
    await until(() => turns().length === 2, 'the program has ended');
  });

  it('goes on for a while when the last listener has left', async () => {
    const { rig, turns } = await stream('&on_demand=true&linger_ms=400');
    for (let time = 0; time < 3; time += 1) {
      rig.stream.activate();
      await until(() => rig.stream.state === 'playing', 'it plays');
      rig.stream.deactivate();
      await delay(150);
    }
    expect([turns(), rig.stream.state]).toEqual([['start'], 'playing']);
    await until(() => turns().length === 2, 'the program has ended');
  });

  it('follows listeners that come and go faster than it ends', async () => {
    const { rig, turns } = await stream('&on_demand=true&linger_ms=0');
    for (let time = 0; time < 20; time += 1) {
      rig.stream.activate();
      if (time % 3 > 0) await delay(7);
      rig.stream.deactivate();
      if (time % 2 > 0) await delay(3);
    }
    rig.stream.activate();
    await until(() => rig.stream.state === 'playing', 'it plays');
    rig.stream.deactivate();
    await until(() => turns().at(-1) === 'end', 'the program has ended');
    expect(rig.stream.state).toBe('idle');
  });

  it('is told of listeners that were there before the stream', async () => {
    const { rig } = await stream('&on_demand=yes', (rig) => rig.stream.activate());
    await until(() => rig.stream.state === 'playing', 'it plays');
  });

  it('gives its place back when its stream ends, whether it runs or not', async () => {
    const { rig, children } = await stream('&on_demand=true');
    await rig.stream.stop();
    expect(children.taken).toBe(0);
  });
});
