import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Cursor } from '../../src/transport/cursor.ts';
import { NodeFanOut } from '../../src/transport/node-fan-out.ts';
import { DirectoryRig } from '../support/directory-rig.ts';
import { FifoWriter, openDescriptors, scratchFolder } from '../support/fifo.ts';
import { numberedBytes } from '../support/pcm-fixtures.ts';
import { freePort } from '../support/server-process.ts';
import { type Peer, SocketPairs } from '../support/socket-pairs.ts';
import { until } from '../support/waiting.ts';

let folder: ReturnType<typeof scratchFolder>;
let rig: DirectoryRig;

beforeEach(() => {
  folder = scratchFolder();
  for (const name of ['plug-ins', 'sandbox']) mkdirSync(join(folder.path, name));
  rig = new DirectoryRig({
    pluginDir: join(folder.path, 'plug-ins'),
    sandboxDir: join(folder.path, 'sandbox'),
  });
});

afterEach(async () => {
  await rig.directory.close();
  await until(() => rig.pool.isFull, 'the pool is full');
  expect(rig.pool.isFull).toBe(true);
  rig.pool.close();
  folder.remove();
});

function program(name: string, script: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** Descriptors, listeners, and what the event loop waits for, by kind. */
function held(): Map<string, number> {
  const kinds = new Map([
    ['descriptors', openDescriptors()],
    ['exit listeners', process.listenerCount('exit')],
  ]);
  for (const kind of process.getActiveResourcesInfo()) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  kinds.delete('Immediate');
  return kinds;
}

/** Sockets report their end a turn or two later. */
async function expectNoMoreThan(before: ReadonlyMap<string, number>): Promise<void> {
  const more = () => [...held()].filter(([kind, count]) => count > (before.get(kind) ?? 0));
  await until(() => more().length === 0).catch(() => undefined);
  expect(more()).toEqual([]);
}

describe('a port that a thousand streams use, one after another', () => {
  it('is free each time, and nothing is left of any of them', async () => {
    const port = await freePort();
    writeFileSync(join(folder.path, 'plug-ins', 'control.py'), '');
    const address = `tcp://127.0.0.1:${port}?name=X&codec=pcm&controlscript=control.py`;
    const pairs = await SocketPairs.open(new NodeFanOut(rig.pool));
    const player: Peer = await pairs.join();
    let cursor: Cursor | undefined;
    rig.onChange = (change) => {
      if (change.kind !== 'stream-removed' || !cursor) return;
      change.channel.unsubscribe(cursor);
      cursor = undefined;
    };
    const round = async (index: number) => {
      const channel = await rig.directory.add(address);
      cursor = channel.subscribe(player.path);
      const producer = net.connect(port, '127.0.0.1');
      producer.on('error', () => undefined);
      await once(producer, 'connect');
      if (index % 10 === 0) {
        producer.write(numberedBytes(10_000));
        await until(() => channel.stream.encodeFigures.encodedChunks > 0);
      }
      await rig.directory.remove('X');
      producer.destroy();
    };
    await round(0);
    await until(() => rig.pool.isFull);
    const before = held();
    for (let index = 0; index < 1000; index += 1) await round(index);
    await until(() => rig.pool.isFull, 'the pool is full');
    await expectNoMoreThan(before);
    expect(rig.announcements.filter(({ text }) => text === 'stream-added X')).toHaveLength(1001);
    expect(rig.scripts.every(({ isStopped }) => isStopped)).toBe(true);
    pairs.close();
  });
});

describe('streams of every kind that come and go side by side', () => {
  it('leave neither children nor descriptors', async () => {
    program('sandbox/player', 'exec cat /dev/zero');
    const fifo = join(folder.path, 'fifo');
    const kinds = [
      () => `process://${folder.path}/sandbox/player?name=process`,
      () => `pipe://${fifo}?name=pipe`,
      () => 'tone:///?name=tone&codec=flac',
      () => 'tcp://127.0.0.1:9?mode=client&name=client',
      () => `tcp://127.0.0.1:0?name=server&codec=opus`,
    ];
    const comeAndGo = async (address: string) => {
      const channel = await rig.directory.add(address);
      channel.stream.activate();
      const writer = channel.id === 'pipe' ? new FifoWriter(fifo) : undefined;
      writer?.write(numberedBytes(10_000));
      if (/tone|pipe|process/.test(channel.id)) {
        await until(() => channel.stream.encodeFigures.encodedChunks > 0);
      }
      await rig.directory.remove(channel.id);
      writer?.close();
    };
    await Promise.all(kinds.map((address) => comeAndGo(address())));
    const before = held();
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(kinds.map((address) => comeAndGo(address())));
    }
    await expectNoMoreThan(before);
    expect(childrenOf(process.pid, 'player')).toEqual([]);
  });

  it('end in order however adding and removing overlap', async () => {
    const names = ['A', 'B', 'C'];
    const port = await freePort();
    const outcomes: Promise<unknown>[] = [];
    for (let step = 0; step < 300; step += 1) {
      const name = names[step % 3] ?? '';
      const address = step % 2 === 0 ? 'tone:///' : `tcp://127.0.0.1:${port}`;
      outcomes.push(
        step % 5 < 3
          ? rig.directory.add(`${address}?name=${name}`).catch((error: Error) => error.message)
          : rig.directory.remove(name),
      );
      if (step % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const answers = (await Promise.all(outcomes)).filter((answer) => typeof answer === 'string');
    expect(answers.length).toBeGreaterThan(0);
    expect(answers.every((text) => /already exists|EADDRINUSE/.test(text))).toBe(true);
    const present = new Set<string>();
    for (const text of rig.told) {
      const [kind, id = ''] = text.split(' ');
      if (kind === 'stream-added') expect(present.has(id)).toBe(false);
      else expect(present.has(id)).toBe(true);
      if (kind === 'stream-added') present.add(id);
      if (kind === 'stream-removed') present.delete(id);
    }
    expect([...present].sort()).toEqual([...rig.names].sort());
  });
});

/** Processes that this one has started and whose command holds `text`. */
function childrenOf(pid: number, text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        const parent = readFileSync(`/proc/${name}/stat`, 'latin1').split(') ')[1]?.split(' ')[1];
        return Number(parent) === pid ? readFileSync(`/proc/${name}/cmdline`, 'latin1') : '';
      } catch {
        return '';
      }
    })
    .filter((command) => command.includes(text));
}
