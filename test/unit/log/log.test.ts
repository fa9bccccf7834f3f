import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import type { Logger } from '../../../src/base/logger.ts';
import { Log, type LogOptions } from '../../../src/log/log.ts';
import { levelFor, parseLogFilter } from '../../../src/log/log-filter.ts';
import { maxFieldCharacters } from '../../../src/log/pino-logger.ts';
import { isRoot } from '../../support/scratch-folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerocast-log-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const someTime = new Date(2026, 10, 20, 9, 8, 7, 6).getTime();

async function logged(write: (logger: Logger) => void, more: Partial<LogOptions> = {}) {
  const file = join(folder, 'log.txt');
  const log = new Log({
    format: 'text',
    sink: `file:${file}`,
    filter: ['*:trace'],
    now: () => someTime,
    ...more,
  });
  write(log.logger);
  await log.close();
  return readFileSync(file, 'utf8').split('\n').slice(0, -1);
}

describe('text lines', () => {
  it('have the format of upstream', async () => {
    const lines = await logged((logger) => {
      logger.info('Version 0.34.0');
      logger.tagged('Stream').notice('source opened', {
        name: 'default',
        title: 'with spaces',
        ms: 12,
        ok: true,
        uri: 'pipe:///x?name=a',
        nothing: undefined,
        empty: '',
        list: [1, 'b'],
        cause: new Error('it "broke"'),
      });
    });
    expect(lines).toEqual([
      '2026-11-20 09-08-07.006 [Info] (Snapserver) Version 0.34.0',
      '2026-11-20 09-08-07.006 [Notice] (Stream) source opened name=default ' +
        'title="with spaces" ms=12 ok=true uri="pipe:///x?name=a" empty="" ' +
        'list="[1,\\"b\\"]" cause="it \\"broke\\""',
    ]);
  });

  it('name every severity', async () => {
    const lines = await logged((logger) => {
      logger.trace('x');
      logger.debug('x');
      logger.info('x');
      logger.notice('x');
      logger.warn('x');
      logger.error('x');
      logger.fatal('x');
    });
    const labels = lines.map((line) => /\[(\w+)\]/.exec(line)?.[1]);
    expect(labels).toEqual(['Trace', 'Debug', 'Info', 'Notice', 'Warn', 'Error', 'Fatal']);
  });

  it('cannot be forged by what a peer sends', async () => {
    const [line, ...more] = await logged((logger) =>
      logger
        .tagged('a\nb')
        .info('hello\r\n2026', { name: 'x\n2026 [Info] (Y) z', color: '\x1b[31m\x9b\u202e' }),
    );
    expect(more).toEqual([]);
    expect(line).toBe(
      '2026-11-20 09-08-07.006 [Info] (a\\nb) hello\\r\\n2026 ' +
        'name="x\\n2026 [Info] (Y) z" color="\\u001b[31m\\u009b\\u202e"',
    );
  });

  it('stay one line of printable text whatever the field holds', async () => {
    const values = fc.sample(fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()), 300);
    const lines = await logged((logger) => {
      for (const value of values) logger.info('x', { value });
    });
    expect(lines).toHaveLength(values.length);
    for (const line of lines) expect(line).toMatch(/ \(Snapserver\) x( value=\P{Cc}+)?$/u);
  });

  it('show no secret, also none that a cut would leave in pieces', async () => {
    const reason = `${'y'.repeat(maxFieldCharacters - 12)} http://me:hunter2@host/`;
    const lines = await logged((logger) => {
      logger.warn('cannot open --token=hunter2', { reason, address: 'tcp://h?key=hunter2&a=b' });
    });
    expect(lines.join('')).not.toMatch(/hunt/);
    expect(lines[0]).toContain('a=b');
  });

  it('cut a field that is too long', async () => {
    const [line] = await logged((logger) => logger.info('x', { a: 'y'.repeat(100_000) }));
    expect(line).toHaveLength(
      '2026-11-20 09-08-07.006 [Info] (Snapserver) x a='.length + maxFieldCharacters + 3,
    );
  });
});

describe('JSON records', () => {
  it('have time, level, tag, message and the fields', async () => {
    const lines = await logged((logger) => logger.tagged('T').warn('late\n', { ms: 3, s: 'a b' }), {
      format: 'json',
    });
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      {
        time: new Date(someTime).toISOString(),
        level: 'warn',
        tag: 'T',
        msg: 'late\n',
        ms: 3,
        s: 'a b',
      },
    ]);
  });

  it('keep their own fields apart from those of the caller', async () => {
    const fields = { time: 1, level: 2, tag: 3, msg: 4, err: new Error('e') };
    const [line = ''] = await logged((logger) => logger.info('x', fields), { format: 'json' });
    expect(JSON.parse(line)).toEqual({
      time: new Date(someTime).toISOString(),
      level: 'info',
      tag: 'Snapserver',
      msg: 'x',
      time_: 1,
      level_: 2,
      tag_: 3,
      msg_: 4,
      err: 'e',
    });
  });
});

describe('a report', () => {
  const report = { phrase: 'status', rows: ['=== x ===', '    a\nb: 96.00%'], fields: { a: [1] } };
  const speak = (logger: Logger) => logger.tagged('T').report(report);

  it('is one text line per row, which keeps its indentation', async () => {
    expect(await logged(speak)).toEqual([
      '2026-11-20 09-08-07.006 [Info] (T) === x ===',
      '2026-11-20 09-08-07.006 [Info] (T)     a\\nb: 96.00%',
    ]);
  });

  it('is one JSON record', async () => {
    const lines = await logged(speak, { format: 'json' });
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { time: new Date(someTime).toISOString(), level: 'info', tag: 'T', msg: 'status', a: [1] },
    ]);
  });

  it.each(['text', 'json'] as const)('is filtered by tag and level as %s', async (format) => {
    expect(await logged(speak, { format, filter: ['*:info,T:warn'] })).toEqual([]);
    expect(await logged(speak, { format, filter: ['X:info'] })).toEqual([]);
  });

  it('need not be made when nobody wants it', async () => {
    const answers: boolean[] = [];
    await logged(
      (logger) => {
        for (const tag of ['A', 'B', 'C']) {
          answers.push(logger.tagged(tag).isEnabled('info'), logger.tagged(tag).isEnabled('debug'));
        }
      },
      { filter: ['A:info,B:trace'] },
    );
    expect(answers).toEqual([true, false, true, true, false, false]);
  });
});

describe('the filter', () => {
  const tags = (lines: readonly string[]) => lines.map((line) => /\((.+?)\)/.exec(line)?.[1]);
  const speak = (logger: Logger) => {
    for (const tag of ['A', 'B', 'C']) {
      logger.tagged(tag).debug('x');
      logger.tagged(tag).warn('x');
    }
  };

  it('takes the tag first, then the star', async () => {
    const filter = ['*:warn,A:debug', 'B:fatal'];
    expect(tags(await logged(speak, { filter }))).toEqual(['A', 'A', 'C']);
  });

  it('suppresses a tag that matches nothing', async () => {
    expect(tags(await logged(speak, { filter: ['B:trace'] }))).toEqual(['B', 'B']);
    expect(await logged(speak, { filter: [] })).toEqual([]);
  });

  it('takes an unknown level for info and the last of two entries', () => {
    const filter = parseLogFilter(' A : loud , a:b:Error, *:WARN,*:debug');
    expect(filter?.unknownLevels).toEqual(['loud']);
    const levels = filter?.levels ?? new Map();
    expect(levelFor('A', levels)).toBe('info');
    expect(levelFor('a:b', levels)).toBe('error');
    expect(levelFor('other', levels)).toBe('debug');
  });

  it.each(['', 'A:', 'A:info,', ','])('refuses %j', (text) => {
    expect(parseLogFilter(text)).toBeUndefined();
  });
});

describe('sinks', () => {
  it('empty a file at start', async () => {
    writeFileSync(join(folder, 'log.txt'), 'old\n'.repeat(100));
    expect(await logged((logger) => logger.info('new'))).toHaveLength(1);
  });

  it('keep the order of many lines', async () => {
    const lines = await logged((logger) => {
      for (let index = 0; index < 5000; index++) logger.info('x', { index });
    });
    expect(lines.map((line) => Number(/index=(\d+)/.exec(line)?.[1]))).toEqual(
      Array.from({ length: 5000 }, (_, index) => index),
    );
  });

  it.each(['/nowhere/at/all.log', '/'])('refuse the file %s', (name) => {
    const open = () => new Log({ format: 'text', sink: `file:${name}`, filter: [] });
    expect(open).toThrow(ConfigError);
    expect(open).toThrow(/the log file cannot be opened: E.*fix \[logging\] sink/);
  });

  it('refuse an unknown name', () => {
    const open = () => new Log({ format: 'text', sink: 'printer', filter: [] });
    expect(open).toThrow(/"printer" is no log sink; allowed: stdout/);
  });

  it('may be closed twice', async () => {
    const sink = `file:${join(folder, 'log.txt')}`;
    const log = new Log({ format: 'text', sink, filter: ['*:info'] });
    const { logger } = log;
    logger.info('x');
    await Promise.all([log.close(), log.close()]);
    logger.info('too late');
    await log.close();
    expect(readFileSync(join(folder, 'log.txt'), 'utf8')).toMatch(/ x\n$/);
  });

  it('can be none at all', async () => {
    const log = new Log({ format: 'text', sink: 'null', filter: ['*:trace'] });
    log.logger.fatal('x');
    await expect(log.close()).resolves.toBeUndefined();
  });
});

describe('the sink "system"', () => {
  function fakeLogger(script: string): string {
    const command = join(folder, 'logger');
    writeFileSync(command, `#!/bin/sh\n${script}\n`);
    chmodSync(command, 0o755);
    return command;
  }

  async function systemLines(format: 'text' | 'json'): Promise<readonly string[]> {
    const out = join(folder, 'out');
    const systemCommand = fakeLogger(`echo "$@" > ${out}; cat >> ${out}`);
    const log = new Log({ format, sink: 'system', filter: ['*:trace'], systemCommand });
    log.logger.info('Version 0.34.0');
    log.logger.tagged('Stream').error('gone', { name: 'a b' });
    log.logger.debug('x');
    await log.close();
    return readFileSync(out, 'utf8').trimEnd().split('\n');
  }

  it('hands over each line with its priority and without time', async () => {
    const [options, ...lines] = await systemLines('text');
    expect(options).toMatch(/--prio-prefix .*--tag zerocast/);
    expect(lines).toEqual([
      '<14>(Snapserver) Version 0.34.0',
      '<11>(Stream) gone name="a b"',
      '<15>(Snapserver) x',
    ]);
  });

  it('hands over JSON records when asked', async () => {
    const [, line = ''] = await systemLines('json');
    expect(line.slice(0, 4)).toBe('<14>');
    expect(JSON.parse(line.slice(4))).toMatchObject({ level: 'info', msg: 'Version 0.34.0' });
  });

  it.runIf(isRoot || process.env.CI)('runs its program as the user of the server', async () => {
    const out = join(folder, 'out');
    writeFileSync(out, '');
    chownSync(out, 65_534, 65_534);
    chmodSync(folder, 0o755);
    const systemCommand = fakeLogger(`id -u > ${out}; id -g >> ${out}; cat > /dev/null`);
    const fileOwner = { uid: 65_534, gid: 65_534 };
    const sink = 'system';
    const log = new Log({ format: 'text', sink, filter: [], systemCommand, fileOwner });
    await log.close();
    expect(readFileSync(out, 'utf8')).toBe('65534\n65534\n');
  });

  it('ends a program that does not end by itself', async () => {
    const systemCommand = fakeLogger('exec sleep 1000');
    const log = new Log({ format: 'text', sink: 'system', filter: [], systemCommand });
    await expect(log.close()).resolves.toBeUndefined();
  });
});
