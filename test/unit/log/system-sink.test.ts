import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LogSink, maxQueuedBytes } from '../../../src/log/log-sink.ts';
import { severities } from '../../../src/log/severity.ts';
import { SystemSink } from '../../../src/log/system-sink.ts';
import { scratchFolder } from '../../support/fifo.ts';
import { looksUntil } from '../../support/looks.ts';
import { until } from '../../support/waiting.ts';

let folder: ReturnType<typeof scratchFolder>;
let faults: string[];
let fallen: string[];
let flushes: number;
let sink: SystemSink;

beforeEach(() => {
  folder = scratchFolder();
  faults = [];
  fallen = [];
  flushes = 0;
});

afterEach(async () => {
  await sink.close();
  folder.remove();
});

const at = (name: string) => join(folder.path, name);

/** A sink whose program is `script`, which runs in the folder of the test. */
function open(script: string): void {
  const command = at('logger');
  writeFileSync(command, `#!/bin/sh\ncd ${folder.path}\n${script}\n`, { mode: 0o755 });
  const fallback: LogSink = {
    write: (line) => fallen.push(line) > 0,
    flushSync: () => {
      flushes += 1;
    },
    close: async () => {},
  };
  sink = new SystemSink({ command, fallback, onFault: (sentence) => faults.push(sentence) });
}

/** What the kernel may keep of what the program has not read. */
const kernelBytes = 512 * 1024;
const untilTold = 'until [ -e end ]; do sleep 0.02; done';
const end = () => writeFileSync(at('end'), '');
const line = (text: string) => `2026-11-20 09-08-07.006 [Warn] (T) ${text}`;
const say = (text: string) => sink.write(line(text), severities.warn);

describe('the program "logger"', () => {
  it('has a process group of its own, so that Ctrl-C does not end it before the last line', async () => {
    open('cut -d" " -f1,5 /proc/$$/stat > group; exec cat > out');
    say('last');
    await sink.close();
    const [pid, group] = readFileSync(at('group'), 'utf8').trim().split(' ');
    expect(group).toBe(pid);
    expect(readFileSync(at('out'), 'utf8')).toBe('<12>(T) last\n');
    expect([faults, fallen]).toEqual([[], []]);
  });

  it('says nothing on the output and the errors of the server', async () => {
    open(
      'ends="$(readlink /proc/$$/fd/1) $(readlink /proc/$$/fd/2)"; echo "$ends" > ends; cat > out',
    );
    await sink.close();
    expect(readFileSync(at('ends'), 'utf8')).toBe('/dev/null /dev/null\n');
  });

  it('is replaced when it ends, though it ends well, and only that is told', async () => {
    open('exit 0');
    await until(() => faults.length > 0);
    for (const text of ['a', 'b']) expect(say(text)).toBe(true);
    expect(fallen).toEqual([line('a'), line('b')]);
    await sink.close();
    expect(faults).toEqual([
      'the system log cannot be used, stderr is used instead: ' +
        `${at('logger')} ended with status 0`,
    ]);
  });

  it('is at fault when it fails at its end, and its lines are said again', async () => {
    open('cat > /dev/null; exit 3');
    say('a');
    await sink.close();
    expect(faults).toMatchObject([expect.stringMatching(/ended with status 3$/)]);
    expect(fallen).toEqual([line('a')]);
  });

  it('has its first two hundred lines said again when it fails at once', async () => {
    open(`${untilTold}; kill -9 $$`);
    for (let index = 0; index < 300; index += 1) say(`${index}`);
    end();
    await until(() => faults.length > 0);
    expect(faults[0]).toMatch(/ended with SIGKILL$/);
    expect(fallen).toEqual(Array.from({ length: 200 }, (_, index) => line(`${index}`)));
  });

  it('has nothing said again that it has had for longer than a second', async () => {
    open(`${untilTold}; exit 1`);
    say('early');
    await new Promise((resolve) => setTimeout(resolve, 1200));
    end();
    await until(() => faults.length > 0);
    say('late');
    expect(fallen).toEqual([line('late')]);
  });

  it('leaves so much unread, and no more is taken', async () => {
    open(`touch runs; ${untilTold}; exec cat > out`);
    await until(() => existsSync(at('runs')));
    const text = 'x'.repeat(9950);
    let taken = 0;
    while (say(text)) taken += 1;
    expect(taken).toBeGreaterThan(maxQueuedBytes / 10_000 - 2);
    expect(taken).toBeLessThan((maxQueuedBytes + kernelBytes) / 9950);
    end();
    await sink.close();
    expect(readFileSync(at('out'), 'utf8').split('\n')).toHaveLength(taken + 1);
  });

  it('is killed when it does not end within a second of its last line', async () => {
    open('echo $$ > pid; while :; do sleep 0.05; done');
    await until(() => existsSync(at('pid')));
    const beganAtMs = performance.now();
    expect(await looksUntil(sink.close())).toBeLessThan(75);
    expect(performance.now() - beganAtMs).toBeGreaterThan(900);
    expect(faults).toMatchObject([expect.stringMatching(/ended with SIGKILL$/)]);
  });

  it('leaves it to its replacement what is written before a sudden end', () => {
    open('exec cat > out');
    sink.flushSync();
    expect(flushes).toBe(1);
  });
});
