import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Access, Login } from '../../../src/auth/access.ts';
import { AssertionError, RpcError, SourceError } from '../../../src/base/errors.ts';
import { JsonText, jsonOf } from '../../../src/control/json-text.ts';
import { maxBatch, maxBatchAnswerLength } from '../../../src/control/rpc-dispatcher.ts';
import { coreOf, method } from '../../support/rpc-core.ts';

/** All methods of these tests; `calls` notes what was called. */
function scene(access?: Access) {
  const calls: string[] = [];
  const later = async (text: string) => {
    await setTimeout(1);
    calls.push(text);
    return 'ok';
  };
  const core = coreOf(
    [
      method('Echo', (params) => ({ said: params.text('text') })),
      method('Log', (params) => {
        calls.push(params.text('text'));
        return 'ok';
      }),
      method('Later', (params) => later(params.text('text'))),
      method('Refuse', () => {
        throw new RpcError(7, 'Refused', 'because');
      }),
      method('RefuseLater', async () => {
        throw new RpcError(8, 'Refused without data');
      }),
      method('NoSource', async () => {
        throw new SourceError('x', 'the source is broken');
      }),
      method('Fail', () => {
        throw new TypeError('cannot read /root/secret');
      }),
      method('Assert', () => {
        throw new AssertionError('assertion', 'broken');
      }),
      method('Long', () => ({ text: new JsonText(`"${'x'.repeat(1024 * 1024)}"`) })),
      method('Types', (params) => {
        const volume = params.members('volume');
        return { flag: params.flag('flag'), texts: params.texts('texts'), v: volume.number('v') };
      }),
      method('Open', () => 'ok', 'nothing'),
      method('LoggedIn', () => 'ok', 'login'),
    ],
    access,
  );
  return { ...core, calls };
}

const request = (name: string, params?: unknown, id: unknown = 1) =>
  JSON.stringify({ id, jsonrpc: '2.0', method: name, params });
const echo = (text: string, id: unknown = 1) => request('Echo', { text }, id);
const error = (code: number, message: string, data?: string) =>
  `{"error":${jsonOf({ code, data, message })},"id":1,"jsonrpc":"2.0"}`;

describe('an answer', () => {
  it('comes at once, in the form and key order of the reference', () => {
    expect(scene().ask(echo('hello'))).toBe('{"id":1,"jsonrpc":"2.0","result":{"said":"hello"}}');
  });

  it('is awaited where a method has to wait', async () => {
    const { ask } = scene();
    expect(await ask(request('Later', { text: 'a' }))).toBe(
      '{"id":1,"jsonrpc":"2.0","result":"ok"}',
    );
  });

  it.each([
    '0',
    '-5',
    '4294967296',
    '9007199254740991',
    '9007199254740993',
    '-123456789012345678901234567890',
    '"1"',
    '""',
    '"a\\"id\\":12345678901234567"',
    'null',
  ])('carries the id %s as it was written', (id) => {
    const text = `{"jsonrpc":"2.0","params":{"text":""},"method":"Echo","id": ${id}}`;
    expect(scene().ask(text)).toBe(`{"id":${id},"jsonrpc":"2.0","result":{"said":""}}`);
  });

  it('keeps long ids apart in a batch, and does not take one from inside of a text', async () => {
    const one = (id: string, text: string) =>
      `{"jsonrpc":"2.0","method":"Echo","id":${id},"params":{"text":${JSON.stringify(text)}}}`;
    const texts = [
      one('90071992547409921', '"id":90071992547409920'),
      one('90071992547410003', ''),
    ];
    expect(await scene().ask(`[${texts.join()}]`)).toMatch(
      /^\[{"id":90071992547409921,.*"id":90071992547410003,/,
    );
  });
});

describe('a request that is none', () => {
  it.each(['', ' ', '{', 'nonsense', '{"id":1', "{'id':1}", '[1,', '\u0000'])(
    'is a parse error without id when it is no JSON: %j',
    (text) => {
      const answer = JSON.parse(String(scene().ask(text)));
      expect(answer).toEqual({
        error: { code: -32700, data: expect.any(String), message: 'Parse error' },
        id: null,
        jsonrpc: '2.0',
      });
    },
  );

  it.each([
    ['{"id":7,"method":"Echo"}', 7],
    ['{"id":7,"jsonrpc":"1.0","method":"Echo"}', 7],
    ['{"id":7,"jsonrpc":2.0,"method":"Echo"}', 7],
    ['{"id":7,"jsonrpc":"2.0","method":5}', 7],
    ['{"id":7,"jsonrpc":"2.0"}', 7],
    ['{"id":"x","jsonrpc":"2.0","method":null}', 'x'],
    ['{"id":7,"jsonrpc":"2.0","method":"Echo","params":"text"}', 7],
    ['{"id":1.5,"jsonrpc":"2.0","method":"Echo"}', null],
    ['{"id":1e999,"jsonrpc":"2.0","method":"Echo"}', null],
    ['{"id":{},"jsonrpc":"2.0","method":"Echo"}', null],
    ['{"id":[1],"jsonrpc":"2.0","method":"Echo"}', null],
    ['{"id":true,"jsonrpc":"2.0","method":"Echo"}', null],
    ['{"method":"Echo"}', null],
    ['[]', null],
  ])('is an invalid request with the id where that can be read: %s', (text, id) => {
    const answer = JSON.parse(String(scene().ask(text)));
    expect(answer).toEqual({
      error: { code: -32600, data: expect.any(String), message: 'Invalid Request' },
      id,
      jsonrpc: '2.0',
    });
  });

  it.each([
    '{}',
    '5',
    'null',
    'true',
    '"text"',
    '{"id":1,"jsonrpc":"2.0","result":"ok"}',
    '{"id":1,"jsonrpc":"2.0","error":{"code":1,"message":""}}',
    '[1,null,"x",{},[]]',
    '[[{"id":1,"jsonrpc":"2.0","method":"Open"}]]',
  ])('gets no answer: %s', async (text) => {
    expect(await scene().ask(text)).toBeUndefined();
  });

  it('gets no answer and is not executed when it is a notification', () => {
    const { ask, calls } = scene();
    expect(ask('{"jsonrpc":"2.0","method":"Log","params":{"text":"a"}}')).toBeUndefined();
    expect(calls).toEqual([]);
  });
});

describe('a request that cannot be served', () => {
  it.each([
    ['Nope', {}, error(-32601, 'Method not found')],
    ['constructor', {}, error(-32601, 'Method not found')],
    ['__proto__', {}, error(-32601, 'Method not found')],
    ['Echo', undefined, error(-32602, 'Invalid params', "Parameter 'text' is missing")],
    ['Echo', {}, error(-32602, 'Invalid params', "Parameter 'text' is missing")],
    ['Echo', ['text'], error(-32602, 'Invalid params', "Parameter 'text' is missing")],
    ['Echo', { text: 5 }, error(-32603, 'Internal error', "Parameter 'text' must be a string")],
    ['Echo', { text: null }, error(-32603, 'Internal error', "Parameter 'text' must be a string")],
    [
      'Types',
      { volume: [] },
      error(-32603, 'Internal error', "Parameter 'volume' must be an object"),
    ],
    [
      'Types',
      { volume: {}, flag: 1 },
      error(-32603, 'Internal error', "Parameter 'flag' must be true or false"),
    ],
    [
      'Types',
      { volume: {}, flag: true, texts: ['a', 5] },
      error(-32603, 'Internal error', "Parameter 'texts' must be an array of strings"),
    ],
    [
      'Types',
      { volume: { v: '5' }, flag: true, texts: [] },
      error(-32603, 'Internal error', "Parameter 'v' must be a number"),
    ],
    ['Refuse', {}, error(7, 'Refused', 'because')],
    ['RefuseLater', {}, error(8, 'Refused without data')],
    ['NoSource', {}, error(-32603, 'Internal error', 'the source is broken')],
  ])('says what is wrong: %s %j', async (name, params, answer) => {
    expect(await scene().ask(request(name, params))).toBe(answer);
  });

  it('does not tell the peer about faults inside, but the log', async () => {
    const { ask, log } = scene();
    const data = 'unexpected failure, see the log of the server';
    expect(ask(request('Fail'))).toBe(error(-32603, 'Internal error', data));
    expect(log.lines).toMatchObject([
      { level: 'error', fields: { method: 'Fail', reason: 'cannot read /root/secret' } },
    ]);
  });

  it('lets broken promises of our own code through, which stop the process', () => {
    expect(() => scene().ask(request('Assert'))).toThrow(AssertionError);
  });

  it('refuses numbers that only JSON can express', () => {
    const text = request('Types', { volume: { v: 'V' }, flag: true, texts: [] });
    expect(scene().ask(text.replace('"V"', '1e999'))).toContain("'v' must be a number");
  });
});

describe('a batch', () => {
  it('is answered by an array in order, with those that had to wait', async () => {
    const { ask, calls } = scene();
    const later = request('Later', { text: 'later' }, 'b');
    const log = request('Log', { text: 'log' }, 'd');
    const batch = `[${echo('a', 'a')},${later},5,${request('Nope', {}, 'c')},{},${log}]`;
    expect(await ask(batch)).toBe(
      '[{"id":"a","jsonrpc":"2.0","result":{"said":"a"}},' +
        '{"id":"b","jsonrpc":"2.0","result":"ok"},' +
        '{"error":{"code":-32601,"message":"Method not found"},"id":"c","jsonrpc":"2.0"},' +
        '{"id":"d","jsonrpc":"2.0","result":"ok"}]',
    );
    // One after another, although the first of the two takes longer.
    expect(calls).toEqual(['later', 'log']);
  });

  it('of one request is answered by an array of one', async () => {
    expect(await scene().ask(`[${echo('a')}]`)).toBe(
      '[{"id":1,"jsonrpc":"2.0","result":{"said":"a"}}]',
    );
  });

  it(`may hold ${maxBatch} requests, and is refused as a whole beyond that`, async () => {
    const { ask, calls } = scene();
    const batch = Array.from({ length: maxBatch }, (_, id) => request('Log', { text: '' }, id));
    const answers = JSON.parse(String(await ask(`[${batch.join()}]`)));
    expect(answers.map(({ id }: { id: number }) => id)).toEqual(batch.map((_, id) => id));
    expect(ask(`[${[...batch, echo('')].join()}]`)).toBe(
      `{"error":{"code":-32600,"data":"a batch holds at most ${maxBatch} requests: split it",` +
        '"message":"Invalid Request"},"id":null,"jsonrpc":"2.0"}',
    );
    expect(calls).toHaveLength(maxBatch);
  });

  it('is not carried on when its answers have become too long', async () => {
    const { ask, calls } = scene();
    const long = Array.from({ length: 50 }, (_, id) => request('Long', {}, id));
    const text = String(await ask(`[${long.join()},${request('Log', { text: '' })}]`));
    expect(text.length).toBeLessThan(maxBatchAnswerLength + 2 * 1024 * 1024);
    const answers = JSON.parse(text);
    expect(answers).toHaveLength(51);
    expect(answers.at(-1)).toEqual({
      error: {
        code: -32603,
        data: 'the answers of this batch are too long: split it',
        message: 'Internal error',
      },
      id: 1,
      jsonrpc: '2.0',
    });
    expect(calls).toEqual([]);
  });

  it('lets others have a turn when it takes long', async () => {
    const slow = method('Slow', () => {
      const endMs = performance.now() + 3;
      while (performance.now() < endMs);
      return 'ok';
    });
    const { ask } = coreOf([slow]);
    const batch = Array.from({ length: 10 }, (_, id) => request('Slow', {}, id));
    let turns = 0;
    const count = () => {
      turns += 1;
      immediate = setImmediate(count);
    };
    let immediate = setImmediate(count);
    await ask(`[${batch.join()}]`);
    clearImmediate(immediate);
    expect(turns).toBeGreaterThanOrEqual(3);
  });
});

describe('permission', () => {
  const login: Login = { user: 'u', permits: (name) => name === 'Echo' };
  const locked: Access = { anonymous: undefined, login: async () => login };

  it('is not needed for some methods, and a login is for all others', () => {
    const { ask } = scene(locked);
    expect(ask(request('Open'))).toContain('"result":"ok"');
    expect(ask(request('LoggedIn'))).toBe(error(401, 'Unauthorized'));
    expect(ask(echo('a'))).toBe(error(401, 'Unauthorized'));
    expect(ask(request('Nope'))).toBe(error(-32601, 'Method not found'));
  });

  it('is asked of the login, with the name of the method', () => {
    const { ask, calls, caller } = scene(locked);
    caller.login = login;
    expect(ask(echo('a'))).toContain('"result"');
    expect(ask(request('LoggedIn'))).toContain('"result"');
    expect(ask(request('Log', { text: 'a' }))).toBe(error(403, 'Forbidden'));
    expect(calls).toEqual([]);
  });

  it('of everybody is used by those who have not logged in', () => {
    const { ask } = scene({ ...locked, anonymous: login });
    expect(ask(echo('a'))).toContain('"result"');
    expect(ask(request('Log', { text: 'a' }))).toBe(error(403, 'Forbidden'));
  });
});
