import { spawnSync } from 'node:child_process';
import {
  chownSync,
  closeSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import { isJournal, journalSink } from '../../../src/log/journal.ts';
import { Log, type LogOptions } from '../../../src/log/log.ts';
import { severities } from '../../../src/log/severity.ts';
import { buildLogPrograms } from '../../support/log-program.ts';
import { isRoot, makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';

let folder: string;
let log: Log;
beforeEach(() => {
  folder = makeScratchFolder();
});
afterEach(async () => {
  await log.close();
  removeScratchFolder(folder);
});

const fileAt = (name: string) => join(folder, name);
/** The lines of a file, each without its time. */
const linesOf = (name: string) =>
  readFileSync(fileAt(name), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => line.replace(/^\S+ \S+ /, ''));

function open(options: Partial<LogOptions> = {}): Log {
  log = new Log({
    format: 'text',
    sink: `file:${fileAt('a')}`,
    filter: ['*:info'],
    ...options,
  });
  return log;
}

describe('a running log that is configured anew', () => {
  it('changes the sink of all loggers that were handed out', async () => {
    const { logger } = open();
    const stream = logger.tagged('Stream');
    stream.info('one');
    log.configure({ format: 'text', sink: `file:${fileAt('b')}`, filter: ['*:info'] });
    stream.info('two');
    logger.info('three');
    await log.close();
    expect(linesOf('a')).toEqual(['[Info] (Stream) one']);
    expect(linesOf('b')).toEqual(['[Info] (Stream) two', '[Info] (Snapserver) three']);
  });

  it('changes the filter of loggers that were handed out, per tag', () => {
    const { logger } = open();
    const [a, b] = [logger.tagged('A'), logger.tagged('B')];
    log.configure({ format: 'text', sink: `file:${fileAt('a')}`, filter: ['*:warn,A:debug'] });
    expect([a.isEnabled('debug'), b.isEnabled('info'), b.isEnabled('warn')]).toEqual([
      true,
      false,
      true,
    ]);
    a.debug('shown');
    b.info('hidden');
    logger.info('hidden');
    log.configure({ format: 'text', sink: `file:${fileAt('a')}`, filter: ['B:trace'] });
    a.fatal('hidden');
    b.trace('shown too');
    expect(linesOf('a')).toEqual(['[Debug] (A) shown', '[Trace] (B) shown too']);
  });

  it('changes the format, of reports as well', () => {
    const { logger } = open();
    const tagged = logger.tagged('T');
    const report = { phrase: 'status', rows: ['a', 'b'], fields: { n: 1 } };
    log.configure({ format: 'json', sink: `file:${fileAt('a')}`, filter: ['*:info'] });
    tagged.info('x', { n: 1 });
    tagged.report(report);
    const records = readFileSync(fileAt('a'), 'utf8').trimEnd().split('\n');
    expect(records.map((line) => JSON.parse(line))).toMatchObject([
      { tag: 'T', msg: 'x', n: 1 },
      { tag: 'T', msg: 'status', n: 1 },
    ]);
  });

  it('keeps the lines of a file, be it the same or another', async () => {
    writeFileSync(fileAt('b'), 'x y [Info] before\n');
    const { logger } = open();
    logger.info('one');
    for (const name of ['a', 'b', 'a']) {
      log.configure({ format: 'text', sink: `file:${fileAt(name)}`, filter: ['*:info'] });
      logger.info(name);
    }
    await log.close();
    expect(linesOf('a').map((line) => line.split(' ').at(-1))).toEqual(['one', 'a', 'a']);
    expect(linesOf('b').map((line) => line.split(' ').at(-1))).toEqual(['before', 'b']);
  });

  it.each([
    ['a sink that cannot be opened', { sink: 'file:/nowhere/at/all.log' }],
    ['a sink that there is not', { sink: 'printer' }],
    ['a filter that cannot be read', { filter: ['Stream:'] }],
  ])('changes nothing when it is given %s', (_, wrong) => {
    const { logger } = open();
    const change = () =>
      log.configure({ format: 'json', sink: `file:${fileAt('b')}`, filter: ['*:trace'], ...wrong });
    expect(change).toThrow(ConfigError);
    logger.info('as before');
    logger.debug('hidden');
    expect(linesOf('a')).toEqual(['[Info] (Snapserver) as before']);
  });

  it('writes what the earlier sink was given before it ends', async () => {
    const out = fileAt('out');
    const systemCommand = fileAt('logger');
    writeFileSync(systemCommand, `#!/bin/sh\nsleep 0.2\ncat > ${out}\n`, { mode: 0o755 });
    const { logger } = open({ sink: '', usualSink: 'system', systemCommand });
    logger.info('one');
    log.configure({ format: 'text', sink: `file:${fileAt('a')}`, filter: ['*:info'] });
    await log.close();
    expect(readFileSync(out, 'utf8')).toBe('<14>(Snapserver) one\n');
  });
});

describe('a log file that is opened anew', () => {
  it.each([
    ['moved away', () => renameSync(fileAt('a'), fileAt('a.1'))],
    ['deleted', () => unlinkSync(fileAt('a'))],
  ])('begins again after it was %s', (_, remove) => {
    const { logger } = open();
    logger.info('one');
    remove();
    logger.info('two');
    expect(log.reopen()).toBe(true);
    logger.info('three');
    expect(linesOf('a')).toEqual(['[Info] (Snapserver) three']);
  });

  it('keeps its lines when nobody touched it', () => {
    const { logger } = open();
    logger.info('one');
    log.reopen();
    log.reopen();
    logger.info('two');
    expect(linesOf('a')).toHaveLength(2);
  });

  it('leaves no hole after a program copied it and cut it to nothing', () => {
    const { logger } = open();
    logger.info('one');
    writeFileSync(fileAt('a'), '');
    logger.info('two');
    expect(linesOf('a')).toEqual(['[Info] (Snapserver) two']);
  });

  it('stays in use when it cannot be opened', () => {
    mkdirSync(fileAt('logs'));
    const { logger } = open({ sink: `file:${fileAt('logs/a')}` });
    renameSync(fileAt('logs'), fileAt('moved'));
    expect(() => log.reopen()).toThrow(/ENOENT/);
    logger.info('still here');
    expect(linesOf('moved/a')).toEqual(['[Info] (Snapserver) still here']);
  });

  it('is found when the process has gone to another folder since', () => {
    const before = process.cwd;
    process.cwd = () => folder;
    open({ sink: 'file:relative.log' });
    process.cwd = before;
    rmSync(fileAt('relative.log'), { force: true });
    log.reopen();
    expect(statSync(fileAt('relative.log')).isFile()).toBe(true);
  });

  it('leaves no descriptor behind', async () => {
    open();
    const probe = () => {
      const descriptor = openSync(fileAt('a'), 'r');
      closeSync(descriptor);
      return descriptor;
    };
    const before = probe();
    for (let time = 0; time < 20; time += 1) log.reopen();
    await log.close();
    expect(probe()).toBeLessThanOrEqual(before);
  });

  it('is not asked for when the log goes elsewhere', () => {
    expect(open({ sink: 'null' }).reopen()).toBe(false);
  });

  it.runIf(isRoot || process.env.CI)('belongs to the user that the server will run as', () => {
    open({ fileOwner: { uid: 65_534, gid: 65_534 } });
    expect(statSync(fileAt('a')).uid).toBe(65_534);
    unlinkSync(fileAt('a'));
    log.reopen();
    expect(statSync(fileAt('a')).uid).toBe(65_534);
  });

  it.runIf(isRoot || process.env.CI)('is no file of somebody else that is given away', () => {
    const foreign = fileAt('foreign');
    writeFileSync(foreign, 'theirs');
    const fileOwner = { uid: 65_534, gid: 65_534 };
    symlinkSync(foreign, fileAt('a'));
    expect(() => open({ fileOwner })).toThrow('the log file cannot be opened: ELOOP');
    unlinkSync(fileAt('a'));
    linkSync(foreign, fileAt('a'));
    expect(() => open({ fileOwner })).toThrow('has a second name: remove it');
    unlinkSync(fileAt('a'));
    chownSync(foreign, 1, 1);
    renameSync(foreign, fileAt('a'));
    expect(() => open({ fileOwner })).toThrow('belongs to somebody else');
    expect(readFileSync(fileAt('a'), 'utf8')).toBe('theirs');
    expect(statSync(fileAt('a')).uid).toBe(1);
    open({ fileOwner, sink: 'file:/dev/null' });
    expect(statSync('/dev/null').uid).toBe(0);
  });
});

describe('output that goes to the journal', () => {
  const streamOf = (descriptor: number) => {
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    return `${dev}:${ino}`;
  };

  it('is known by device and inode', () => {
    const descriptor = openSync(fileAt('a'), 'w');
    expect(isJournal(descriptor, streamOf(descriptor))).toBe(true);
    expect(isJournal(descriptor, `${streamOf(descriptor)}1`)).toBe(false);
    expect(isJournal(descriptor, '')).toBe(false);
    closeSync(descriptor);
    expect(isJournal(descriptor, '1:1')).toBe(false);
  });

  it('has the priority in front of each line and no time', () => {
    const written: string[] = [];
    const sink = journalSink({
      write: (line) => written.push(line) > 0,
      flushSync: () => {},
      close: async () => {},
    });
    sink.write('2026-11-20 09-08-07.006 [Warn] (T) x y [z] ok', severities.warn);
    sink.write('{"msg":"a b [c] d"}', severities.info);
    expect(written).toEqual(['<4>(T) x y [z] ok', '<6>{"msg":"a b [c] d"}']);
  });

  it.each(['stdout', 'stderr'])('keeps the line with the version on %s', (sink) => {
    const programs = buildLogPrograms();
    const out = fileAt('journal');
    const descriptor = openSync(out, 'w');
    const program = programs.program(
      'journal.js',
      `new Log({ sink: '${sink}', format: 'text', filter: ['*:info'] })
        .logger.info('Version 0.34.0');`,
    );
    const { status } = spawnSync(process.execPath, [program], {
      env: { ...process.env, JOURNAL_STREAM: streamOf(descriptor) },
      stdio: ['ignore', descriptor, descriptor],
    });
    closeSync(descriptor);
    programs.remove();
    expect(status).toBe(0);
    expect(readFileSync(out, 'utf8')).toBe('<6>(Snapserver) Version 0.34.0\n');
  });
});
