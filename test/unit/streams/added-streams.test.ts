import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AddedStreams, maxSavedStreams } from '../../../src/streams/added-streams.ts';
import { scratchFolder } from '../../support/fifo.ts';
import { LogLines } from '../../support/log-lines.ts';

const address = (name: string) => `tone:///?name=${name}`;

let folder: ReturnType<typeof scratchFolder>;
let path: string;
let log: LogLines;

beforeEach(() => {
  folder = scratchFolder();
  path = join(folder.path, 'streams.json');
  log = new LogLines();
});

afterEach(() => {
  vi.useRealTimers();
  folder.remove();
});

const open = () => AddedStreams.open({ path, logger: log });
const setAside = () => readdirSync(folder.path).filter((name) => name.includes('.damaged-'));

describe('the streams that were added', () => {
  it('are none before the first, without a word', async () => {
    const added = await open();
    expect(added.addresses).toEqual([]);
    await added.close();
    expect(log.lines).toEqual([]);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  it('are there again, in their order, with every character', async () => {
    const added = await open();
    const odd = ' tcp://0.0.0.0:4953?name="Küche" \\ &codec=pcm';
    added.add('A', address('A'));
    added.add('"Küche" \\', odd);
    added.add('B', address('B'));
    added.remove('A');
    added.remove('unknown');
    await added.close();
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
      version: 1,
      streams: [odd, address('B')],
    });
    expect((await open()).addresses).toEqual([odd, address('B')]);
  });

  it('are read behind the byte order mark of an editor', async () => {
    const text = JSON.stringify({ version: 1, streams: [address('A')] });
    writeFileSync(path, `\uFEFF${text}\r\n`);
    expect((await open()).addresses).toEqual([address('A')]);
    expect(setAside()).toEqual([]);
  });

  it('are saved without anybody closing them', async () => {
    const added = await open();
    added.add('A', address('A'));
    await expect.poll(() => readFileSync(path, 'utf8')).toContain(address('A'));
    added.remove('A');
    await expect.poll(() => readFileSync(path, 'utf8')).not.toContain(address('A'));
    await added.close();
  });

  it('are for nobody else to read, as addresses may hold passwords', async () => {
    const mode = () => statSync(path).mode & 0o777;
    const added = await open();
    added.add('A', 'tcp://h?name=A&params=--password=secret');
    await added.close();
    expect(mode()).toBe(0o600);
    // As earlier versions have left it.
    chmodSync(path, 0o644);
    expect((await open()).addresses).toHaveLength(1);
    expect(mode()).toBe(0o600);
  });

  it('have one address per name, the last one', async () => {
    const streams = [address('A'), address('B'), `${address('A')}&freq=880`];
    writeFileSync(path, JSON.stringify({ version: 1, streams }));
    const added = await open();
    expect(added.addresses).toEqual([streams[2], streams[1]]);
    added.add('B', `${address('B')}&freq=880`);
    expect(added.addresses).toEqual([streams[2], `${address('B')}&freq=880`]);
    await added.close();
  });

  it('find a limit, which is logged', async () => {
    const added = await open();
    for (let index = 0; index <= maxSavedStreams; index += 1) {
      added.add(`${index}`, address(`${index}`));
    }
    expect(added.addresses).toHaveLength(maxSavedStreams);
    expect(log.with('stream not saved')).toHaveLength(1);
    await added.close();
    expect((await open()).addresses).toHaveLength(maxSavedStreams);
  });
});

describe('a file of streams that cannot be used', () => {
  const whole = JSON.stringify({
    version: 1,
    streams: ['tcp://h?name=x&params=--password=secret'],
  });

  it('is set aside when it is cut at any byte, and quoted nowhere', async () => {
    for (let length = 1; length < whole.length; length += 1) {
      writeFileSync(path, whole.slice(0, length));
      const added = await open();
      expect(added.addresses).toEqual([]);
      expect(setAside()).toHaveLength(1);
      expect(readFileSync(join(folder.path, setAside()[0] ?? ''), 'utf8')).toBe(
        whole.slice(0, length),
      );
      for (const name of setAside()) writeFileSync(join(folder.path, name), '');
      folder.remove();
      mkdirSync(folder.path);
      await added.close();
    }
    expect(log.lines.every(({ level }) => level === 'error')).toBe(true);
    expect(log.lines).toHaveLength(whole.length - 1);
    expect(JSON.stringify(log.lines)).not.toContain('secret');
  });

  it.each([
    '[]',
    'null',
    '7',
    '{"version":2,"streams":[]}',
    '{"streams":[]}',
    '{"version":1}',
    '{"version":1,"streams":{}}',
    '{"version":1,"streams":["tone:///?name=A",7]}',
    JSON.stringify({ version: 1, streams: Array.from({ length: 1025 }, () => 'x') }),
  ])('is set aside when it holds something else: %.40s', async (text) => {
    writeFileSync(path, text);
    const added = await open();
    expect(added.addresses).toEqual([]);
    expect(setAside()).toHaveLength(1);
    expect(statSync(join(folder.path, setAside()[0] ?? '')).mode & 0o777).toBe(0o600);
    added.add('A', address('A'));
    await added.close();
    expect((await open()).addresses).toEqual([address('A')]);
  });

  it('never keeps the server from starting, whatever it holds', async () => {
    const property = fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
      writeFileSync(path, text);
      const added = await open();
      expect(added.addresses.every((entry) => typeof entry === 'string')).toBe(true);
      await added.close();
      folder.remove();
      mkdirSync(folder.path);
    });
    await fc.assert(property, { numRuns: 50 });
  });

  it('costs nothing but its content when it cannot be written', async () => {
    path = join(folder.path, 'file', 'streams.json');
    writeFileSync(join(folder.path, 'file'), 'no folder');
    const added = await open();
    added.add('A', address('A'));
    expect(added.addresses).toEqual([address('A')]);
    await added.close();
    expect(log.lines.length).toBeGreaterThan(0);
  });

  it('is not tried for ever where nothing can be written', async () => {
    path = join(folder.path, 'file', 'streams.json');
    writeFileSync(join(folder.path, 'file'), 'no folder');
    const added = await open();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    added.add('A', address('A'));
    added.remove('A');
    expect(vi.getTimerCount()).toBe(0);
  });
});
