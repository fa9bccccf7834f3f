import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RpcError } from '../../../src/base/errors.ts';
import { LineReader } from '../../../src/base/net/line-reader.ts';
import { hostileJson, hostileObject, mutationsOf } from '../../support/hostile-values.ts';
import { coreOf, method } from '../../support/rpc-core.ts';

function core() {
  return coreOf([
    method('Text', (params) => ({ said: params.text('text') })),
    method('Later', async (params) => ({ said: params.text('text') })),
    method('Number', (params) => ({ is: params.members('volume').number('percent') })),
    method('Refuse', () => {
      throw new RpcError(7, 'Refused', 'because');
    }),
  ]);
}

const requestKeys = ['id', 'jsonrpc', 'method', 'params', 'result', 'error', '__proto__'];

const validRequest = fc.record(
  {
    id: fc.oneof(fc.integer(), fc.string(), fc.constant(null)),
    jsonrpc: fc.constant('2.0'),
    method: fc.constantFrom('Text', 'Later', 'Number', 'Refuse', 'Nothing', '__proto__'),
    params: hostileObject(['text', 'volume', 'percent', '__proto__']),
  },
  { requiredKeys: ['id', 'jsonrpc', 'method'] },
);
const notification = fc.record({ jsonrpc: fc.constant('2.0'), method: fc.string() });
const entry = fc.oneof(validRequest, notification, hostileObject(requestKeys));

interface Answer {
  readonly id: unknown;
  readonly jsonrpc: string;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
}

function expectAnswer(answer: Answer): void {
  expect(answer.jsonrpc).toBe('2.0');
  expect(Object.hasOwn(answer, 'result')).toBe(!Object.hasOwn(answer, 'error'));
  if (answer.error) {
    expect(Number.isInteger(answer.error.code)).toBe(true);
    expect(typeof answer.error.message).toBe('string');
  }
  expect(['string', 'number', 'object']).toContain(typeof answer.id);
}

/** All answers to one text: none, one, or those of a batch. */
async function answersTo(text: string): Promise<Answer[]> {
  const reply = await core().ask(text);
  if (reply === undefined) return [];
  expect(reply).not.toMatch(/[\r\n]/);
  const json = JSON.parse(reply) as Answer | Answer[];
  const answers = Array.isArray(json) ? json : [json];
  expect(answers.length).toBeGreaterThan(0);
  for (const answer of answers) expectAnswer(answer);
  return answers;
}

describe('a text for the dispatcher', () => {
  it('of any kind is answered by JSON of the right shape, or not at all', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      hostileJson(requestKeys).map((json) => JSON.stringify(json)),
      mutationsOf([
        Buffer.from('{"id":1,"jsonrpc":"2.0","method":"Text","params":{"text":"a"}}'),
        Buffer.from('[{"id":12345678901234567890,"jsonrpc":"2.0","method":"Later"},1]'),
      ]).map((bytes) => bytes.toString()),
    );
    await fc.assert(
      fc.asyncProperty(text, async (some) => void (await answersTo(some))),
      { numRuns: 1000 },
    );
  });

  it('that is a request is answered exactly once, under its own id', async () => {
    await fc.assert(
      fc.asyncProperty(validRequest, async (request) => {
        const answers = await answersTo(JSON.stringify(request));
        expect(answers.map(({ id }) => id)).toEqual([Object.is(request.id, -0) ? 0 : request.id]);
      }),
      { numRuns: 500 },
    );
  });

  it('that is a batch has as many answers as its entries have one by one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 6 }), async (batch) => {
        const single = await Promise.all(batch.map((each) => answersTo(JSON.stringify(each))));
        const together = await answersTo(JSON.stringify(batch));
        const ids = (answers: Answer[]) => answers.map(({ id }) => JSON.stringify(id)).sort();
        expect(ids(together)).toEqual(ids(single.flat()));
      }),
      { numRuns: 500 },
    );
  });

  it('leaves nothing behind on the prototypes of everybody', async () => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    await answersTo('{"id":1,"jsonrpc":"2.0","method":"Text","__proto__":{"polluted":1}}');
    await answersTo(
      '{"id":1,"jsonrpc":"2.0","method":"Number","params":{"constructor":{"prototype":{"x":1}}}}',
    );
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
  });
});

describe('lines', () => {
  it('of any bytes lead to answers, whatever they are cut into', async () => {
    const original = Buffer.from(
      '{"id":1,"jsonrpc":"2.0","method":"Text","params":{"text":"ä€𝄞"}}\r\n[]\n{"id":2}\n',
    );
    await fc.assert(
      fc.asyncProperty(mutationsOf([original]), fc.nat(7), async (bytes, step) => {
        const reader = new LineReader(() => 1000);
        for (let at = 0; at < bytes.length; at += step + 1) {
          reader.push(bytes.subarray(at, at + step + 1));
          for (let line = reader.next(); line !== undefined; line = reader.next()) {
            expect(line).not.toContain('\n');
            await answersTo(line);
          }
        }
      }),
      { numRuns: 400 },
    );
  });
});
