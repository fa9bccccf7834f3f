import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RpcError } from '../../../src/base/errors.ts';
import { coreOf, method } from '../../support/rpc-core.ts';

function scene() {
  return coreOf([
    method('Echo', (params) => ({ said: params.text('text') })),
    method('Later', async (params) => ({ said: params.text('text') })),
    method('Types', (params) => ({ v: params.members('volume').number('v') })),
    method('Refuse', () => {
      throw new RpcError(7, 'Refused', 'because');
    }),
    method('Open', () => 'ok', 'nothing'),
  ]);
}

const request = (name: string, params?: unknown, id: unknown = 1) =>
  JSON.stringify({ id, jsonrpc: '2.0', method: name, params });
const echo = (text: string, id: unknown = 1) => request('Echo', { text }, id);

describe('hostile text', () => {
  it.each(['[', '{"a":', '{"id":1,"jsonrpc":"2.0","method":"Echo","params":{"text":['])(
    'nested very deeply is answered: %s…',
    (opening) => {
      const text = opening.repeat(200_000);
      expect(scene().ask(text)).toContain('Parse error');
    },
  );

  it('nested very deeply, but complete, is answered', async () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    const { ask } = scene();
    expect(await ask(deep)).toBeUndefined();
    expect(ask(`{"id":${deep},"jsonrpc":"2.0","method":"Echo"}`)).toContain('"id":null');
    expect(ask(`{"id":1,"jsonrpc":"2.0","method":"Echo","params":{"text":${deep}}}`)).toContain(
      'must be a string',
    );
    expect(ask(`{"id":1,"jsonrpc":"2.0","method":"Echo","params":${deep}}`)).toContain('missing');
  });

  it('is answered at most once per id, whatever JSON it is', async () => {
    const { ask } = scene();
    const word = fc.constantFrom('id', 'jsonrpc', 'method', 'params', 'result', 'error', '2.0');
    const name = fc.constantFrom('Echo', 'Later', 'Types', 'Refuse', 'Open');
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.jsonValue() as fc.Arbitrary<unknown>,
        word,
        name,
        fc.array(tie('value')),
        fc.dictionary(word, tie('value')),
        fc.record(
          {
            id: fc.oneof(fc.integer(), fc.string(), fc.jsonValue() as fc.Arbitrary<unknown>),
            jsonrpc: fc.constant('2.0'),
            method: name,
            params: tie('value'),
          },
          { requiredKeys: ['jsonrpc', 'method'] },
        ),
      ),
    })).value;
    await fc.assert(
      fc.asyncProperty(json, async (value) => {
        expectOneAnswerPerId(await ask(JSON.stringify(value)), value);
      }),
      { numRuns: 500 },
    );
  });

  it('cut anywhere is answered once, or not at all', async () => {
    const { ask } = scene();
    const whole = `[${echo('ä"\\u0000', 'x')},${request('Later', { text: '' }, 2)}]`;
    for (let end = 0; end < whole.length; end += 1) {
      const answer = JSON.parse(String(await ask(whole.slice(0, end))));
      expect(answer).toMatchObject({ error: { code: -32700 }, id: null });
    }
    expect(JSON.parse(String(await ask(whole)))).toHaveLength(2);
  });

  it('with a few characters changed is answered once per id at most', async () => {
    const { ask } = scene();
    const whole = `[${echo('text', 1)},${request('Types', { volume: { v: 1 } }, 2)},${echo('', 3)}]`;
    const characters = fc.constantFrom(...'{}[]":,0.eE-\\ \ud800tn');
    const change = fc.record({ at: fc.nat(whole.length - 1), by: characters, drop: fc.nat(3) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        let text = whole;
        for (const { at, by, drop } of changes)
          text = text.slice(0, at) + by + text.slice(at + drop);
        expectOneAnswerPerId(await ask(text), undefined);
      }),
      { numRuns: 1000 },
    );
  });
});

/** No id is answered more often than it was asked, and `null` only stands for what is unreadable. */
function expectOneAnswerPerId(answer: string | undefined, asked: unknown): void {
  if (answer === undefined) return;
  const answers: unknown = JSON.parse(answer);
  const list = Array.isArray(answers) ? answers : [answers];
  expect(list.length).toBeGreaterThan(0);
  for (const one of list) expect(one).toMatchObject({ jsonrpc: '2.0' });
  if (asked === undefined) {
    expect(list.length).toBeLessThanOrEqual(4);
    return;
  }
  const requests = Array.isArray(asked) && asked.length > 0 ? asked : [asked];
  expect(list.length).toBeLessThanOrEqual(requests.length);
}
