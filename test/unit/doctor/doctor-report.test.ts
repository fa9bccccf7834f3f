import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.ts';
import { secretsOf } from '../../../src/config/secret-values.ts';
import { checkText, reportJson, totalsText } from '../../../src/doctor/doctor-report.ts';
import { type Check, fault, faultOf, note, ok, warning } from '../../../src/doctor/finding.ts';
import { shown } from '../../../src/doctor/masked-findings.ts';
import { runChecks } from '../../../src/doctor/run-checks.ts';

async function resultsOf(...checks: Check[]) {
  const results = [];
  for await (const result of runChecks(checks)) results.push(result);
  return results;
}

const results = [
  { name: 'one', findings: [ok('all is well'), fault('it is broken', 'mend it')] },
  { name: 'two', findings: [warning('it is odd', 'look at it'), note('just so')] },
];

describe('the checks', () => {
  it('go on after one that throws, which is told', async () => {
    const broken = () => {
      throw new Error('no such thing\n  at line 1');
    };
    const found = await resultsOf(
      { name: 'thrown', run: broken },
      { name: 'rejected', run: async () => broken() },
      { name: 'fine', run: () => [ok('well')] },
    );
    const text = 'the check itself failed: no such thing';
    expect(found.map(({ findings }) => findings[0])).toEqual([
      expect.objectContaining({ level: 'fault', text }),
      expect.objectContaining({ level: 'fault', text }),
      ok('well'),
    ]);
  });

  it('go on after one that does not end', async () => {
    const found = await resultsOf(
      { name: 'hangs', timeoutMs: 20, run: () => new Promise(() => undefined) },
      { name: 'fine', run: () => [ok('well')] },
    );
    expect(found[0]?.findings[0]).toMatchObject({
      level: 'fault',
      text: 'the check took longer than 0.02 s and was left',
    });
    expect(found[1]?.findings).toEqual([ok('well')]);
  });
});

describe('the report', () => {
  it('has a line for each finding and below it how to mend it', () => {
    expect(results.map((result) => checkText(result, false)).join('')).toBe(
      [
        'one',
        '  ok      all is well',
        '  FAULT   it is broken',
        '            mend it',
        'two',
        '  warning it is odd',
        '            look at it',
        '  note    just so',
        '',
      ].join('\n'),
    );
  });

  it('is coloured on demand only', () => {
    expect(checkText(results[0]!, true)).toContain('\u001b[31mFAULT');
    expect(checkText(results[0]!, false)).not.toContain('\u001b');
  });

  it('ends with the totals', () => {
    expect(totalsText(results)).toBe('\n1 fault, 1 warning\n');
    expect(totalsText([results[1]!, results[1]!])).toBe('\n0 faults, 2 warnings\n');
  });

  it('is one JSON document', () => {
    expect(JSON.parse(reportJson(results))).toMatchObject({
      faults: 1,
      warnings: 1,
      checks: [
        { name: 'one', findings: [{ level: 'ok', text: 'all is well' }, { mend: 'mend it' }] },
        { name: 'two' },
      ],
    });
  });
});

describe('an error of the server', () => {
  it.each([
    ['a.conf, line 3: [stream] buffer is "x"; allowed: a number', 'allowed: a number'],
    ['[ssl] certificate x.pem does not exist: correct the path', 'correct the path'],
    ['it just fails', 'the usual remedy'],
  ])('becomes a fault with its remedy: %s', (message, mend) => {
    const found = faultOf(new Error(message), 'the usual remedy');
    expect(found).toMatchObject({ level: 'fault', mend });
    expect(message.startsWith(found.text)).toBe(true);
  });
});

describe('secrets', () => {
  const overrides = [
    ['authorization', 'role', 'all:*'],
    ['authorization', 'user', 'ann:hunter2hunter2:all'],
    ['authorization', 'token_secret', 'k'.repeat(40)],
    ['ssl', 'key_password', 'open sesame'],
  ].map(([section = '', key = '', value = '']) => ({ section, key, value, origin: 'a test' }));
  const secrets = secretsOf(loadConfig({ searchPaths: [], overrides }).config);

  it.each(['hunter2hunter2', 'k'.repeat(40), 'open sesame'])('are not shown: %s', (secret) => {
    const { text, mend } = shown(fault(`it is ${secret}!`, `not ${secret}`), secrets);
    expect([text, mend]).toEqual(['it is ***!', 'not ***']);
  });

  it.each([
    ['process:///x?params=--password s3cret', 'process:///x?params=--password ***'],
    ['tcp://host?token=abc&name=x', 'tcp://host?token=***&name=x'],
    ['params=--password%20s3cret&name=x', 'params=--password%20***&name=x'],
  ])('are not shown in addresses: %s', (text, expected) => {
    expect(shown(note(text), []).text).toBe(expected);
  });

  it('and commands to a terminal are not shown', () => {
    expect(shown(note('a\u001b[2Jb\nc'), []).text).toBe('a?[2Jb c');
  });
});
