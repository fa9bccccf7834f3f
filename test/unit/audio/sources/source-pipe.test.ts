import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { openAnonymousPipe } from '../../../../src/audio/sources/fifo.ts';
import { loadNativeAddon } from '../../../../src/base/native/native-addon.ts';
import { openInputQueue } from '../../../../src/transport/input-queue.ts';
import { FifoWriter, makeFifoAt, openDescriptors, scratchFolder } from '../../../support/fifo.ts';
import { numberedBytes } from '../../../support/pcm-fixtures.ts';
import { SourceHarness } from '../../../support/source-harness.ts';
import { until } from '../../../support/waiting.ts';

const running: SourceHarness[] = [];
const folder = scratchFolder();
let count = 0;

afterEach(async () => {
  await Promise.all(running.splice(0).map((harness) => harness.source.stop()));
});

afterAll(() => folder.remove());

function newPath(): string {
  count += 1;
  return join(folder.path, `fifo ${count}`);
}

/** A started pipe source whose fifo exists. */
async function pipeAt(path: string, query = ''): Promise<SourceHarness> {
  const harness = new SourceHarness(`pipe://${path}${query}`).start();
  running.push(harness);
  await until(() => existsSync(path) && canOpen(path), 'the fifo is open');
  return harness;
}

function canOpen(path: string): boolean {
  try {
    new FifoWriter(path).close();
    return true;
  } catch {
    return false;
  }
}

/** The source has noticed the last writer's leave, so only its own watch is at work. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
}

describe('a pipe source', () => {
  it('makes a fifo that everybody may write to, whatever the umask', async () => {
    const umask = process.umask(0o077);
    try {
      const path = newPath();
      await pipeAt(path);
      expect(statSync(path).isFIFO()).toBe(true);
      expect(statSync(path).mode & 0o777).toBe(0o666);
    } finally {
      process.umask(umask);
    }
  });

  it('uses a fifo that is there, and leaves it in place at the end', async () => {
    const path = newPath();
    makeFifoAt(path);
    const harness = await pipeAt(path);
    await harness.source.stop();
    expect(statSync(path).isFIFO()).toBe(true);
    expect(canOpen(path)).toBe(false);
  });

  it('lets a writer that does not wait in at any moment', async () => {
    const path = newPath();
    const harness = await pipeAt(path);
    harness.ask(4);
    for (let open = 0; open < 300; open += 1) {
      new FifoWriter(path).close();
      if (open % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(harness.interruptions).toEqual([]);
    expect(harness.failures).toEqual([]);
  });

  it('costs no processor time while nobody writes', async () => {
    const path = newPath();
    const harness = await pipeAt(path);
    harness.ask(4);
    new FifoWriter(path).close();
    await settled();
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const spent = process.cpuUsage(before);
    expect(spent.user + spent.system).toBeLessThan(150_000);
  });

  it('fills up the last chunk of a writer that leaves, and starts anew with the next one', async () => {
    const path = newPath();
    const harness = await pipeAt(path);
    const target = harness.ask(1000);
    const first = new FifoWriter(path);
    first.write(numberedBytes(333));
    first.close();
    await until(() => harness.interruptions.length > 0, 'the writer is missed');
    expect(harness.filledCount).toBe(1);
    expect(target.equals(Buffer.concat([numberedBytes(332), Buffer.alloc(668)]))).toBe(true);
    const next = harness.ask(1000);
    const audio = numberedBytes(1000, 5000);
    const second = new FifoWriter(path);
    second.write(audio);
    await harness.whenFilled(2);
    expect(next.equals(audio)).toBe(true);
    expect(harness.interruptions).toEqual(['the writer closed the fifo']);
    second.close();
  });

  it('joins writers that take turns without a break', async () => {
    const path = newPath();
    const harness = await pipeAt(path);
    const audio = numberedBytes(4000);
    const holder = new FifoWriter(path);
    for (let at = 0; at < 4000; at += 500) {
      const writer = new FifoWriter(path);
      writer.write(audio.subarray(at, at + 500));
      writer.close();
    }
    expect((await harness.read(4000)).equals(audio)).toBe(true);
    expect(harness.interruptions).toEqual([]);
    holder.close();
  });

  it('gives away whole frames only when a writer pauses', async () => {
    const path = newPath();
    const harness = await pipeAt(path);
    const target = harness.ask(400);
    const audio = numberedBytes(1000);
    const writer = new FifoWriter(path);
    writer.write(audio.subarray(0, 202));
    await until(() => target.subarray(0, 202).equals(audio.subarray(0, 202)), 'bytes are read');
    const partial = Buffer.alloc(400);
    expect(harness.source.takePartial?.(partial)).toBe(200);
    expect(partial.subarray(0, 200).equals(audio.subarray(0, 200))).toBe(true);
    writer.write(audio.subarray(202, 600));
    await harness.whenFilled(1);
    expect(target.equals(audio.subarray(200, 600))).toBe(true);
    writer.close();
  });

  it('waits in mode read until somebody makes the fifo, and makes none', async () => {
    const path = newPath();
    const harness = new SourceHarness(`pipe://${path}?mode=read`).start();
    running.push(harness);
    await new Promise((resolve) => setTimeout(resolve, 450));
    expect(existsSync(path)).toBe(false);
    expect(harness.logged('waiting for fifo').length).toBe(1);
    makeFifoAt(path);
    await until(() => canOpen(path), 'the fifo is open');
    const writer = new FifoWriter(path);
    writer.write(numberedBytes(8));
    expect((await harness.read(8)).equals(numberedBytes(8))).toBe(true);
    writer.close();
  });

  const native = loadNativeAddon();
  it.runIf('addon' in native)(
    'leaves what comes between two reads in the fifo, and is woken up by none of it',
    async () => {
      const path = newPath();
      makeFifoAt(path);
      const queue = openInputQueue(native);
      const harness = new SourceHarness(`pipe://${path}`, undefined, queue).start();
      running.push(harness);
      const writer = openSync(path, 'w');
      const audio = numberedBytes(8000);
      const first = harness.read(4000);
      writeSync(writer, audio.subarray(0, 4000));
      expect((await first).equals(audio.subarray(0, 4000))).toBe(true);
      writeSync(writer, audio.subarray(4000));
      await settled();
      expect('addon' in native && native.addon.unreadBytes?.(writer)).toBe(4000);
      expect((await harness.read(4000)).equals(audio.subarray(4000))).toBe(true);
      closeSync(writer);
    },
  );

  it('follows when the fifo is replaced by another one of its name', async () => {
    const path = newPath();
    makeFifoAt(path);
    const harness = await pipeAt(path, '?mode=read');
    const target = harness.ask(8);
    await settled();
    makeFifoAt(`${path}.new`);
    renameSync(`${path}.new`, path);
    await until(() => canOpen(path), 'the new fifo is open');
    const writer = new FifoWriter(path);
    writer.write(numberedBytes(8));
    await harness.whenFilled(1);
    expect(target.equals(numberedBytes(8))).toBe(true);
    writer.close();
  });

  it('makes its fifo anew when it was removed', async () => {
    const path = newPath();
    const harness = await pipeAt(path);
    harness.ask(8);
    await settled();
    rmSync(path);
    await until(() => existsSync(path) && canOpen(path), 'the fifo is back');
    expect(harness.failures).toEqual([]);
  });

  it.each([
    ['a regular file', (path: string) => writeFileSync(path, 'x'), 'no-fifo', 'it is no fifo'],
    ['a folder', (path: string) => mkdirSync(path), 'no-fifo', 'it is no fifo'],
  ])('fails when %s has its name', (_, make, code, message) => {
    const path = newPath();
    make(path);
    const before = openDescriptors();
    const harness = new SourceHarness(`pipe://${path}`).start();
    expect(harness.failures.map((failure) => failure.code)).toEqual([code]);
    expect(harness.failures[0]?.message).toContain(message);
    expect(openDescriptors()).toBe(before);
  });

  it('fails when its folder does not exist', async () => {
    const harness = new SourceHarness(`pipe://${newPath()}/none/fifo`).start();
    await until(() => harness.failures.length > 0, 'it fails');
    expect(harness.failures[0]?.code).toBe('mkfifo');
    expect(harness.failures[0]?.message).toMatch(
      /none\/fifo cannot be used: it cannot be made: No such file or directory: make its folder first, or choose another path$/,
    );
  });

  it('refuses other modes', () => {
    expect(() => new SourceHarness('pipe:///x?mode=append')).toThrow('write create or read');
  });

  it('can be stopped while it makes its fifo', async () => {
    const before = openDescriptors();
    for (let round = 0; round < 5; round += 1) {
      const harness = new SourceHarness(`pipe://${newPath()}`).start();
      await harness.source.stop();
    }
    expect(openDescriptors()).toBe(before);
  });
});

describe('an anonymous pipe', () => {
  it('leaves nothing behind and takes the first folder that works', async () => {
    const before = openDescriptors();
    const { readFd, writeFd } = await openAnonymousPipe(['/nonexistent', folder.path]);
    expect(readdirSync(folder.path).filter((name) => name.startsWith('zerocast-'))).toEqual([]);
    writeSync(writeFd, 'through');
    const read = Buffer.alloc(10);
    expect(read.toString('utf8', 0, readSync(readFd, read))).toBe('through');
    closeSync(readFd);
    closeSync(writeFd);
    expect(openDescriptors()).toBe(before);
  });

  it('cannot be made without a folder that can be written to', async () => {
    await expect(openAnonymousPipe(['/nonexistent'])).rejects.toThrow('no such file');
  });
});
