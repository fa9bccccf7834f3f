import { chmodSync, constants, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ProducerProcess } from '../../../../src/audio/sources/producer-process.ts';
import { maxLastLines, maxWindowLines } from '../../../../src/audio/sources/program-log.ts';
import { noProperties } from '../../../../src/audio/stream-properties.ts';
import { findProgram } from '../../../../src/base/children/find-program.ts';
import { openDescriptors, scratchFolder } from '../../../support/fifo.ts';
import { longWavFile, numberedBytes, riffChunk, wavFile } from '../../../support/pcm-fixtures.ts';
import { SourceHarness } from '../../../support/source-harness.ts';
import { turn, until } from '../../../support/waiting.ts';

const folder = scratchFolder();
const running: SourceHarness[] = [];
let count = 0;

afterEach(async () => {
  await Promise.all(running.splice(0).map((harness) => harness.source.stop()));
});
afterAll(() => folder.remove());

/** An executable shell script; `$D` in it is the folder of this test file. */
function script(body: string): string {
  count += 1;
  const path = join(folder.path, `program-${count}`);
  writeFileSync(path, `#!/bin/sh\nD='${folder.path}'\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

function run(body: string, query = ''): SourceHarness {
  const harness = new SourceHarness(`process://${script(body)}${query}`).start();
  running.push(harness);
  return harness;
}

/** Opens a fifo for writing once somebody has it open for reading. */
async function openWhenRead(path: string): Promise<FileHandle> {
  for (;;) {
    const file = await open(path, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => undefined);
    if (file) return file;
    await turn();
  }
}

/** True while the process whose number a script wrote to `name` lives. */
function isAlive(name: string): boolean {
  try {
    const pid = Number(readFileSync(join(folder.path, name), 'utf8'));
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('a process source whose program writes WAV', () => {
  const list = riffChunk('LIST', Buffer.from('INFO of odd length.'));

  it.each([
    ['plain', (audio: Buffer) => wavFile(audio)],
    ['of open length', (audio: Buffer) => wavFile(audio, { dataBytes: 0xffff_ffff })],
    ['of length 0', (audio: Buffer) => wavFile(audio, { dataBytes: 0 })],
    ['with other chunks', (audio: Buffer) => wavFile(audio, { between: list })],
    ['of 64 bit', (audio: Buffer) => longWavFile('RF64', audio)],
  ])('reads all of the audio and nothing else: %s', async (_, make) => {
    const audio = numberedBytes(100_000);
    writeFileSync(join(folder.path, 'sound.wav'), make(audio));
    // Byte by byte at first: no piece holds a part that is looked for.
    const slowly =
      'for i in $(seq 0 70); do dd if=$D/sound.wav bs=1 skip=$i count=1 status=none; done';
    const harness = run(`${slowly}; tail -c +72 $D/sound.wav; sleep 60`, '?format=wav');
    expect((await harness.read(100_000)).equals(audio)).toBe(true);
  });

  it('takes the header off each start', async () => {
    writeFileSync(join(folder.path, 'short.wav'), wavFile(numberedBytes(4000)));
    const harness = run('cat $D/short.wav', '?format=wav');
    for (let start = 0; start < 2; start += 1) {
      expect((await harness.read(4000)).equals(numberedBytes(4000))).toBe(true);
    }
  });

  it.each([
    [
      'format=wav&sampleformat=44100:16:2',
      /it writes WAV of 48000:16:2: write sampleformat=48000:16:2/,
      'cat $D/short.wav',
    ],
    ['format=wav', /it does not write WAV/, 'head -c 5000 /dev/urandom'],
    ['format=wav', /it does not write WAV/, 'yes'],
  ])('says what is wrong, with %s', async (query, fault, body) => {
    writeFileSync(join(folder.path, 'short.wav'), wavFile(numberedBytes(4000)));
    const harness = run(body, `?${query}`);
    harness.ask(4000);
    await until(() => harness.logged('program ended').length > 0, 'it says so');
    expect(harness.logged('program ended')[0]?.fields.lastLine).toMatch(fault);
    expect(harness.filledCount).toBe(0);
  });

  it('refuses 24 bit that do not come in 3 bytes', () => {
    expect(() => run('true', '?format=wav&sampleformat=48000:24:2')).toThrow(/packed_s24le=true/);
  });
});

describe('a process source', () => {
  it('reads what the program writes, in the folder of the program and without input', async () => {
    const audio = numberedBytes(200_000);
    writeFileSync(join(folder.path, 'audio.raw'), audio);
    const harness = run('cat audio.raw -; sleep 60');
    const pieces: Buffer[] = [];
    for (let at = 0; at < audio.length; at += 4000) pieces.push(await harness.read(4000));
    expect(Buffer.concat(pieces).equals(audio)).toBe(true);
  });

  it('gives the program its arguments as they are, without a shell', async () => {
    const harness = run(
      'for a in "$@"; do printf "<%s>" "$a"; done; sleep 60',
      '?params=a "b c" $D;%26',
    );
    expect((await harness.read(14)).toString()).toBe('<a><b c><$D;&>');
  });

  it('gives the program a real pipe, which it can open by name', async () => {
    const harness = run('printf 12345678 > /dev/stdout; sleep 60');
    expect((await harness.read(8)).toString()).toBe('12345678');
  });

  it('holds a program back that writes faster than it is read', async () => {
    const harness = run('while :; do printf 1234567890123456; echo >> $D/blocks; done');
    const file = join(folder.path, 'blocks');
    const written = () => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    await harness.read(16);
    await until(() => written() > 0, 'it has told of the first block');
    let before = 0;
    while (before < written()) {
      before = written();
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    // A pipe, and 0.4 s that are read ahead.
    expect(written() * 16).toBeLessThanOrEqual(65_536 + 0.4 * 192_000 + 16);
  });

  it('starts an ended program again, later and later, with a new run', async () => {
    const harness = run('printf 123; exit 3');
    const target = harness.ask(8);
    await until(() => harness.logged('program ended').length >= 3, 'it ended three times');
    const ends = harness.logged('program ended').map((record) => record.fields);
    expect(ends.map((fields) => fields.restartMs)).toEqual([100, 200, 400]);
    expect(ends[0]).toMatchObject({ code: 3, signal: null });
    expect(harness.interruptions.length).toBe(3);
    expect(harness.filledCount).toBe(0);
    expect(target.subarray(0, 3).toString()).toBe('123');
  });

  it('starts a program soon again that was well for long, and only then', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const harness = run('mkfifo $D/go 2> $D/log; read x < $D/go; exit 3');
    harness.ask(8);
    const ends = () => harness.logged('program ended').map(({ fields }) => fields.restartMs);
    for (const [ranMs, restartMs] of [
      [0, 100],
      [9_999, 200],
      [10_000, 100],
      [0, 200],
    ] as const) {
      const count = ends().length;
      // The reader's end is open once the program runs.
      const go = await openWhenRead(join(folder.path, 'go'));
      vi.advanceTimersByTime(ranMs);
      await go.close();
      while (ends().length === count) await turn();
      expect(ends().at(-1)).toBe(restartMs);
      vi.advanceTimersByTime(restartMs);
    }
  });

  it('says with which words a failing program ended', async () => {
    const harness = run('echo "no such device" >&2; exit 1');
    harness.ask(8);
    await until(() => harness.logged('program ended').length > 0, 'it ended');
    expect(harness.logged('program ended')[0]?.fields).toMatchObject({
      lastLine: 'no such device',
    });
    expect(harness.logged('program says')).toEqual([]);
  });

  it('tells controllers the words of a program that fails, until one is well', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const words = 'no card; token=abc';
    const harness = run(
      `test -e $D/was-bad && echo > $D/is-well && exec sleep 60; touch $D/was-bad; printf 1; echo "${words}" >&2; exit 1`,
    );
    harness.ask(8);
    const comment = () => harness.told.at(-1)?.metadata?.comment;
    while (comment() === undefined) await turn();
    expect(comment()).toEqual(['no card; token=***']);
    vi.advanceTimersByTime(100);
    while (!existsSync(join(folder.path, 'is-well'))) await turn();
    expect(comment()).toBeDefined();
    vi.advanceTimersByTime(10_000);
    expect(harness.told.at(-1)).toEqual(noProperties);
  });

  it('tells controllers how a program ended that said nothing, and nothing of one that is done', async () => {
    const harness = run('test -e $D/has-failed && exit 0; touch $D/has-failed; exit 3');
    harness.ask(8);
    await until(() => harness.logged('program ended').length >= 2, 'it ended twice');
    const comments = harness.told.map(({ metadata }) => metadata?.comment);
    expect(comments).toEqual([['the program ended with status 3'], undefined]);
  });

  it('complains once of a program that fails again and again in the same way', async () => {
    const harness = run(
      'test -e $D/second && echo other >&2; test -e $D/first && touch $D/second; touch $D/first; exit 1',
    );
    harness.ask(8);
    await until(() => harness.logged('program ended').length >= 4, 'it ended four times');
    const levels = harness.logged('program ended').map(({ level }) => level);
    expect(levels.slice(0, 4)).toEqual(['warn', 'debug', 'warn', 'debug']);
  });

  it('logs what the program says when it is asked to', async () => {
    const harness = run('echo one >&2; echo two >&2; sleep 60', '?log_stderr=true');
    await until(() => harness.logged('program says').length === 2, 'both lines are logged');
    expect(harness.logged('program says').map((record) => record.fields.line)).toEqual([
      'one',
      'two',
    ]);
  });

  it('logs no more of what a program says than the log can bear, and counts the rest', async () => {
    const many = 5 * maxWindowLines;
    const harness = run(`seq ${many} >&2; sleep 60`, '?name=web&log_stderr=true');
    const said = () => harness.logged('program says').map(({ fields }) => fields);
    await until(() => said().length >= maxWindowLines, 'lines are logged');
    await harness.source.stop();
    expect(said().slice(0, maxWindowLines).at(-1)).toEqual({
      stream: 'web',
      line: `${maxWindowLines}`,
    });
    expect(said().length).toBeLessThanOrEqual(maxWindowLines + maxLastLines);
    const [dropped] = harness.logged('program says too much for the log');
    expect(dropped?.fields).toEqual({ stream: 'web', droppedLines: many - said().length });
  });

  it('ends a program that says nothing for too long, with all that it started', async () => {
    const harness = run('sleep 60 & echo $! > $D/silent; printf 1234; wait', '?wd_timeout=0.3');
    const target = harness.ask(8);
    await until(() => harness.logged('program ended').length > 0, 'the watchdog bites');
    expect(harness.logged('program is silent and is ended').length).toBe(1);
    expect(harness.interruptions.length).toBe(1);
    expect(target.subarray(0, 4).toString()).toBe('1234');
  });

  it('spares a program that goes on speaking', async () => {
    const harness = run('while :; do echo alive >&2; sleep 0.1; done', '?wd_timeout=0.5');
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(harness.records).toEqual([]);
  });

  it('ends the program and what it started when it is stopped', async () => {
    const harness = run('sleep 60 & echo $! > $D/child; echo $$ > $D/leader; wait');
    await until(() => isAlive('child') && isAlive('leader'), 'both run');
    await harness.source.stop();
    expect(isAlive('leader')).toBe(false);
    expect(isAlive('child')).toBe(false);
  });

  it('kills a program that does not want to end', async () => {
    const harness = run('trap "" TERM INT; echo $$ > $D/stubborn; while :; do sleep 0.1; done');
    await until(() => isAlive('stubborn'), 'it runs');
    await harness.source.stop();
    expect(isAlive('stubborn')).toBe(false);
  });

  it('goes on when the program hands its output to a child and ends', async () => {
    const harness = run('(sleep 0.2; printf 5678; sleep 60) & printf 1234');
    expect((await harness.read(8)).toString()).toBe('12345678');
    expect(harness.records).toEqual([]);
  });

  it('listens for the end of this process as long as a program runs, for many without a word', async () => {
    const warnings: Error[] = [];
    const keep = (warning: Error) => void warnings.push(warning);
    process.on('warning', keep);
    const before = process.listenerCount('exit');
    const roomBefore = process.getMaxListeners();
    const harnesses = Array.from({ length: 12 }, () => run('sleep 60'));
    await until(() => process.listenerCount('exit') === before + 12, 'all programs run');
    const restarting = run('exit 3');
    await until(() => restarting.logged('program ended').length >= 3, 'it ended three times');
    expect(process.listenerCount('exit')).toBeLessThanOrEqual(before + 13);
    await Promise.all([...harnesses, restarting].map((harness) => harness.source.stop()));
    expect(process.listenerCount('exit')).toBe(before);
    expect(process.getMaxListeners()).toBe(roomBefore);
    process.off('warning', keep);
    expect(warnings).toEqual([]);
  });

  it('lets those who said so have as many listeners as they like', async () => {
    const roomBefore = process.getMaxListeners();
    onTestFinished(() => void process.setMaxListeners(roomBefore));
    const before = process.listenerCount('exit');
    const early = run('sleep 60');
    await until(() => process.listenerCount('exit') === before + 1, 'it runs');
    process.setMaxListeners(0);
    const late = run('sleep 60');
    await until(() => process.listenerCount('exit') === before + 2, 'both run');
    expect(process.getMaxListeners()).toBe(0);
    await Promise.all([early, late].map((harness) => harness.source.stop()));
    expect(process.getMaxListeners()).toBe(0);
  });

  it('listens on for what a program left behind', async () => {
    const before = process.listenerCount('exit');
    const harness = run('(printf 1234; sleep 60) & echo $$ > $D/gone');
    await harness.read(4);
    await until(() => !isAlive('gone'), 'the program itself is gone');
    expect(process.listenerCount('exit')).toBe(before + 1);
    await harness.source.stop();
    expect(process.listenerCount('exit')).toBe(before);
  });

  it('ends a program that closed its output but lives on', async () => {
    const harness = run('echo $$ > $D/mute; printf 12345; exec >&-; sleep 60');
    harness.ask(8);
    await until(() => harness.interruptions.length === 1, 'the end of the output is seen');
    await until(() => !isAlive('mute'), 'it is gone');
  });

  it('survives a program that cannot be run', async () => {
    const path = join(folder.path, 'broken');
    writeFileSync(path, '#!/nonexistent/interpreter\n');
    chmodSync(path, 0o755);
    const before = openDescriptors();
    const harness = new SourceHarness(`process://${path}`).start();
    await until(() => harness.logged('program ended').length >= 2, 'it tried twice');
    expect(String(harness.logged('program ended')[0]?.fields.error)).toContain('ENOENT');
    await harness.source.stop();
    expect(openDescriptors()).toBe(before);
  });

  it('survives arguments that the system refuses', async () => {
    const huge = 'x'.repeat(8000);
    const harness = run('printf 1234', `?params=${huge}`);
    expect((await harness.read(4)).toString()).toBe('1234');
    await expect(
      ProducerProcess.start({
        program: '/bin/true',
        args: ['x'.repeat(200_000)],
        line: () => undefined,
      }),
    ).rejects.toThrow('E2BIG');
  });

  it.each([
    ['wd_timeout=-1', 'wd_timeout=-1 is taken as 0: write a number from 0 to 86400 seconds'],
    ['wd_timeout=5s', 'wd_timeout=5s is taken as 5: write'],
    ['log_stderr=perhaps', 'log_stderr=perhaps is taken as false: write true or false'],
  ])('fixes %s, and the log says what is used', (parameter, reason) => {
    const harness = new SourceHarness(`process:///bin/sh?name=x&${parameter}`);
    expect(harness.logged('stream address is not as it should be')).toMatchObject([
      { level: 'warn', fields: { stream: 'x', reason: expect.stringContaining(reason) } },
    ]);
  });

  it.each([
    ['process:///nonexistent/zerocast-none', 'does not exist, and PATH has no zerocast-none'],
    ['process:///bin/sh?params="open', 'is not closed'],
  ])('refuses %s', (address, message) => {
    expect(() => new SourceHarness(address)).toThrow(message);
  });

  it('refuses a program that may not be executed', () => {
    const path = join(folder.path, 'plain');
    writeFileSync(path, 'x');
    expect(() => new SourceHarness(`process://${path}`)).toThrow('chmod +x');
  });

  it('looks for a program without a folder in PATH and says which it takes', () => {
    const { records } = new SourceHarness('process:///cat');
    expect(records).toMatchObject([{ level: 'notice', fields: { named: '/cat' } }]);
    expect(existsSync(String(records[0]?.fields.program))).toBe(true);
    expect(findProgram('/nowhere/cat', `relative::${folder.path}:/bin`)).toBe('/bin/cat');
    expect(() => findProgram('/nowhere/cat', folder.path)).toThrow('PATH has no cat');
  });

  it('reads through a socket pair where no pipe can be made', async () => {
    const before = openDescriptors();
    const producer = await ProducerProcess.start({
      program: '/bin/echo',
      args: ['-n', 'abcdefgh'],
      line: () => undefined,
      scratchFolders: ['/nonexistent'],
    });
    const memory = Buffer.alloc(8);
    let bytes = 0;
    const socket = producer.connect({
      buffer: () => memory.subarray(bytes),
      callback: (count) => {
        bytes += count;
        return bytes < memory.length;
      },
    });
    socket.resume();
    await until(() => bytes === 8, 'the output has arrived');
    expect(memory.toString()).toBe('abcdefgh');
    socket.destroy();
    expect(await producer.finish(() => false)).toEqual({ code: 0, signal: null });
    await until(() => openDescriptors() === before, 'all descriptors are closed');
  });
});
