import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Access, openAccess } from '../../../src/auth/access.ts';
import { createAccess } from '../../../src/auth/create-access.ts';
import { maxWrongPerSecond } from '../../../src/auth/guess-limiter.ts';
import {
  maxConcurrentHashes,
  maxWaitingLogins,
  maxWaitingOfAddress,
} from '../../../src/auth/hash-queue.ts';
import { refusalReason } from '../../../src/auth/login-errors.ts';
import { maxKnownLogins } from '../../../src/auth/password-check.ts';
import { ConfigError } from '../../../src/base/errors.ts';
import { basic, bearer, cheapHash, plain, refusal } from '../../support/logins.ts';

const roles = ['admin:*', 'player:Streaming'];
const users = ['ann:sec:ret:admin', `bob:${cheapHash('päss')}:player`, 'cid:pw'];

function open(more: readonly string[] = []) {
  return createAccess({ enabled: true, roles, users: [...users, ...more] });
}

async function answerOf(access: Access, text: string): Promise<string> {
  const { rpcCode, message, data } = await access.login(plain(text)).catch((error) => error);
  return JSON.stringify({ rpcCode, message, data });
}

describe('access', () => {
  it('is open when authorization is off, whatever the entries say', async () => {
    const access = await createAccess({ enabled: false, roles: ['?'], users: ['?'] });
    expect(access).toBe(openAccess);
  });

  it('lets all hear this machine only where that is allowed', async () => {
    const off = { enabled: false, roles: [], users: [] };
    for (const allowCapture of [false, true]) {
      const { anonymous } = await createAccess({ ...off, allowCapture });
      expect(anonymous?.permits('Stream.AddStream.Capture')).toBe(allowCapture);
      expect(anonymous?.permits('Stream.AddStream.File')).toBe(true);
    }
  });

  it('is open to any password when authorization is off, but to no other scheme', async () => {
    for (const credentials of [plain('x'), basic(''), { ...basic(''), scheme: 'PLAIN' }]) {
      expect((await openAccess.login(credentials)).permits('Server.GetStatus')).toBe(true);
    }
    for (const scheme of ['Bearer', '', 'Digest']) {
      expect(await refusal(openAccess, { scheme, param: 'x' })).toBe(1);
    }
  });

  it('is given to nobody without a login', async () => {
    expect((await open()).anonymous).toBeUndefined();
  });

  it('is not created with faulty entries', async () => {
    await expect(open(['dan:pw:nobody'])).rejects.toThrow(ConfigError);
  });

  it.each([
    [plain('ann:sec:ret')],
    [{ ...plain('ann:sec:ret'), scheme: 'pLAIN' }],
    [basic('ann:sec:ret')],
    [{ ...basic('ann:sec:ret'), scheme: 'bASIC' }],
  ])('is given for %j', async (credentials) => {
    const login = await (await open()).login(credentials);
    expect(login.user).toBe('ann');
    expect(login.permits('Server.GetStatus')).toBe(true);
  });

  it('has the permissions of the role', async () => {
    const access = await open();
    const bob = await access.login(plain('bob:päss'));
    expect([bob.permits('Streaming'), bob.permits('Server.GetStatus')]).toEqual([true, false]);
    const cid = await access.login(plain('cid:pw'));
    expect(cid.permits('Streaming')).toBe(false);
  });

  it.each(['ann:sec:ret', 'dora:abcde'])(
    'is given for base64 of %j without its padding',
    async (text) => {
      const { scheme, param } = basic(text);
      expect(param).toMatch(/=$/);
      const access = await open(['dora:abcde']);
      expect(await refusal(access, { scheme, param: param.replace(/=+$/, '') })).toBe(0);
    },
  );

  it.each([
    ['an unknown scheme', { scheme: 'Digest', param: 'ann:sec:ret' }, 1],
    ['no scheme', { scheme: '', param: 'ann:sec:ret' }, 1],
    ['Bearer without a key', bearer('a.b.c'), 1],
    ['an unknown user', plain('Ann:sec:ret'), 4],
    ['a user of the prototype', plain('constructor:x'), 4],
    ['no user', plain(':sec:ret'), 4],
    ['no colon', plain('ann'), 4],
    ['nothing', basic(''), 4],
    ['what is no base64', { scheme: 'Basic', param: 'ann:sec:ret' }, 4],
    [
      'what is no UTF-8',
      { scheme: 'Basic', param: Buffer.from([0x61, 0x3a, 0xff]).toString('base64') },
      4,
    ],
    ['far too much', plain(`ann:${'x'.repeat(100_000)}`), 4],
    ['a wrong password', plain('ann:sec:re'), 4],
    ['an empty password', plain('ann:'), 4],
    ['a password and its role', plain('ann:sec:ret:admin'), 4],
    ['a wrong password to a hash', plain('bob:pass'), 4],
    ['the hash instead of the password', plain(`bob:${cheapHash('päss')}`), 4],
  ])('is refused for %s', async (_what, credentials, code) => {
    expect(await refusal(await open(), credentials)).toBe(code);
  });

  it('is refused in the words of the reference, and shows no credentials', async () => {
    const access = await open();
    await expect(access.login(bearer('x'))).rejects.toThrow('Authentication scheme not supported');
    await expect(access.login(plain('x'))).rejects.toThrow(
      /^Wrong user or password: the credentials must be/,
    );
  });

  it('is refused in the same words for an unknown user and for a wrong password', async () => {
    const access = await open();
    const answers = await Promise.all(
      ['dan:x', 'ann:x', 'bob:x', ':x', 'constructor:x'].map((text) => answerOf(access, text)),
    );
    expect(new Set(answers)).toEqual(new Set(['{"rpcCode":4,"message":"Wrong user or password"}']));
  });

  it('is refused with a reason for the log, which tells them apart', async () => {
    const access = await open();
    const reasons = ['dan:x', 'ann:x'].map((text) =>
      access.login(plain(text)).catch(refusalReason),
    );
    expect(await Promise.all(reasons)).toEqual([
      'Wrong user or password: unknown user',
      'Wrong user or password: wrong password',
    ]);
  });

  it('is never given for a piece of the credentials', async () => {
    const access = await open();
    for (const credentials of [plain('ann:sec:ret'), basic('bob:päss')]) {
      const { scheme, param } = credentials;
      const unpadded = param.replace(/=+$/, '');
      for (let length = 0; length < unpadded.length; length += 1) {
        const code = await refusal(access, { scheme, param: unpadded.slice(0, length) });
        expect(code).toBe(4);
      }
    }
  });

  it('is refused for bytes that are no UTF-8, whatever would be shown in their place', async () => {
    const access = await open(['dora:\ufffd']);
    const param = Buffer.from([...Buffer.from('dora:'), 0xff]).toString('base64');
    expect(await refusal(access, { scheme: 'Basic', param })).toBe(4);
    expect(await refusal(access, basic('dora:\ufffd'))).toBe(0);
  });

  it('is refused for anything with a code of the reference', async () => {
    const access = await open();
    const scheme = fc.constantFrom('Basic', 'Plain', 'Bearer');
    await fc.assert(
      fc.asyncProperty(scheme, fc.oneof(fc.string(), fc.base64String()), async (name, param) => {
        expect([1, 4]).toContain(await refusal(access, { scheme: name, param }));
      }),
    );
  });
});

describe('hashes', () => {
  const capacity = maxConcurrentHashes + maxWaitingOfAddress;
  let nowUs: number;
  let floods: Promise<unknown>[];

  beforeEach(() => {
    nowUs = 0;
    floods = [];
  });

  afterEach(async () => {
    await Promise.all(floods);
  });

  const clock = { nowUs: () => nowUs };
  const openHashed = (entries: readonly string[]) =>
    createAccess({ enabled: true, roles, users: entries, clock });

  /** As many logins as may wait, none of which is right. */
  function flood(access: Awaited<ReturnType<typeof open>>, name: string, address?: string) {
    const codes = Array.from({ length: capacity }, (_, index) =>
      refusal(access, plain(`${name}:wrong${index} ${address}`), address),
    );
    floods.push(Promise.all(codes));
    return Promise.all(codes);
  }

  it('are computed for so many logins at once, and the rest is refused', async () => {
    const access = await openHashed([`bob:${cheapHash('pw')}`]);
    const codes = flood(access, 'bob');
    expect(await refusal(access, plain('bob:pw'))).toBe(2);
    expect(new Set(await codes)).toEqual(new Set([4]));
    expect(await refusal(access, plain('bob:pw'))).toBe(0);
  });

  it('are computed for other addresses in turn, whoever floods', async () => {
    const access = await openHashed([`bob:${cheapHash('pw', 12)}`]);
    let refused = 0;
    const attackers = ['192.0.2.1', '2001:db8::1'];
    for (const address of attackers) {
      void flood(access, 'bob', address).then((codes) => {
        refused += codes.length;
      });
    }
    // Another machine of the same network would be no other.
    expect(await refusal(access, plain('bob:no'), '2001:db8::ffff')).toBe(2);
    expect(await refusal(access, plain('bob:pw'), '2001:db8:0:1::1')).toBe(0);
    expect(refused).toBe(0);
  });

  it('do not wait without end, however many addresses ask', async () => {
    const access = await openHashed([`bob:${cheapHash('pw', 8)}`]);
    const count = maxConcurrentHashes + maxWaitingLogins + 1;
    const codes = Array.from({ length: count }, (_, index) =>
      refusal(access, plain(`bob:wrong${index}`), `10.0.${index >> 8}.${index & 255}`),
    );
    // The last one, which found all places taken.
    expect(await Promise.all(codes)).toEqual([...Array(count - 1).fill(4), 2]);
  });

  it('are computed for unknown users too, so that nobody can tell them by the time', async () => {
    const access = await openHashed(['ann:pw', `bob:${cheapHash('pw')}`]);
    const codes = flood(access, 'nobody');
    expect(await refusal(access, plain('bob:pw'))).toBe(2);
    expect(new Set(await codes)).toEqual(new Set([4]));
  });

  it('are computed for plain passwords too where another user has a hash', async () => {
    const access = await openHashed(['ann:pw', `bob:${cheapHash('pw')}`]);
    const codes = flood(access, 'ann');
    expect(await refusal(access, plain('bob:pw'))).toBe(2);
    expect(new Set(await codes)).toEqual(new Set([4]));
    expect(await refusal(access, plain('ann:pw'))).toBe(0);
  });

  it('are not needed where all passwords are plain', async () => {
    const access = await openHashed(['ann:pw', 'bob:pw']);
    void flood(access, 'bob');
    expect(await refusal(access, plain('ann:pw'))).toBe(0);
  });

  it('take the same time for every name, whatever the hashes of the users cost', async () => {
    const access = await openHashed([
      'plain:pw',
      `cheap:${cheapHash('pw', 10)}`,
      `dear:${cheapHash('pw', 14)}`,
    ]);
    const took = new Map<string, number>();
    const names = ['nobody', 'plain', 'cheap', 'dear'];
    for (let round = 0; round < 7; round += 1) {
      for (const name of names) {
        const startMs = performance.now();
        expect(await refusal(access, plain(`${name}:wrong${round}`))).toBe(4);
        const ms = performance.now() - startMs;
        took.set(name, Math.min(ms, took.get(name) ?? ms));
      }
    }
    const times = [...took.values()];
    // A hash of cost 14 takes sixteen times as long as one of cost 10.
    expect(Math.max(...times) / Math.min(...times)).toBeLessThan(4);
  });

  it('are computed once for logins that come at the same time', async () => {
    const access = await openHashed([`bob:${cheapHash('pw')}`]);
    const logins = Array.from({ length: 2 * capacity }, () => refusal(access, plain('bob:pw')));
    expect(new Set(await Promise.all(logins))).toEqual(new Set([0]));
  });

  it('are not remembered of wrong passwords', async () => {
    const access = await openHashed([`bob:${cheapHash('pw')}`]);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(await refusal(access, plain('bob:wrong'))).toBe(4);
    }
  });

  it('are remembered for ten minutes, for exactly that user and password', async () => {
    const access = await openHashed([`bob:${cheapHash('pw')}`, `bo:${cheapHash('b:pw')}`]);
    expect(await refusal(access, plain('bob:pw'))).toBe(0);
    nowUs = 599_000_000;
    const codes = flood(access, 'bob');
    expect(await refusal(access, basic('bob:pw'))).toBe(0);
    expect(await refusal(access, plain('bob:p'))).toBe(2);
    expect(await refusal(access, plain('bo:b:pw'))).toBe(2);
    nowUs = 600_000_000;
    expect(await refusal(access, plain('bob:pw'))).toBe(2);
    expect(new Set(await codes)).toEqual(new Set([4]));
  });

  it('are remembered of a limited number of logins', async () => {
    const hash = cheapHash('pw', 1);
    const names = Array.from({ length: maxKnownLogins + 1 }, (_, index) => `user${index}`);
    const access = await openHashed(names.map((name) => `${name}:${hash}`));
    for (const name of names) expect(await refusal(access, plain(`${name}:pw`))).toBe(0);
    void flood(access, 'nobody');
    expect(await refusal(access, plain('user0:pw'))).toBe(2);
    expect(await refusal(access, plain('user1:pw'))).toBe(0);
    expect(await refusal(access, plain(`${names.at(-1)}:pw`))).toBe(0);
  });
});

describe('guesses', () => {
  let nowUs: number;

  beforeEach(() => {
    nowUs = 0;
  });

  /** As many wrong passwords of `name` as are looked at within a second, and one more. */
  async function guessed(name: string) {
    const entries = ['ann:pw', 'cid:pw'];
    const access = await createAccess({
      enabled: true,
      roles,
      users: entries,
      clock: { nowUs: () => nowUs },
    });
    expect(await refusal(access, plain('cid:pw'))).toBe(0);
    const codes: number[] = [];
    for (let guess = 0; guess <= maxWrongPerSecond; guess += 1) {
      codes.push(await refusal(access, plain(`${name}:wrong${guess}`)));
    }
    return { access, codes };
  }

  it('of a plain password are looked at ten times a second', async () => {
    const { access, codes } = await guessed('ann');
    expect(codes).toEqual([...Array(maxWrongPerSecond).fill(4), 2]);
    // Otherwise the right one would be told from the others.
    expect(await refusal(access, plain('ann:pw'))).toBe(2);
    // Whoever guesses locks out nobody else.
    expect(await refusal(access, plain('ann:pw'), '192.0.2.7')).toBe(0);
    nowUs = 1_000_000;
    expect(await refusal(access, plain('ann:pw'))).toBe(0);
  });

  it('are no right passwords', async () => {
    const access = await createAccess({
      enabled: true,
      roles,
      users: ['ann:pw'],
      clock: { nowUs: () => nowUs },
    });
    expect(await refusal(access, plain('ann:pw'))).toBe(0);
    for (let guess = 0; guess < maxWrongPerSecond; guess += 1) {
      expect(await refusal(access, plain(`ann:wrong${guess}`))).toBe(4);
    }
  });

  it('do not keep out other users, nor who has logged in lately', async () => {
    expect(await refusal((await guessed('ann')).access, plain('cid:pw'))).toBe(0);
    expect(await refusal((await guessed('cid')).access, plain('cid:pw'))).toBe(0);
    expect(await refusal((await guessed('nobody')).access, plain('ann:pw'))).toBe(0);
  });

  it('are counted whether there is such a user or not', async () => {
    const [ofUser, ofNobody] = await Promise.all([guessed('ann'), guessed('nobody')]);
    expect(ofNobody.codes).toEqual(ofUser.codes);
  });

  it('keep no names, which are as long as their senders like', async () => {
    const access = await createAccess({ enabled: true, roles, users: ['ann:pw'] });
    const before = process.memoryUsage().heapUsed;
    for (let guess = 0; guess < 5000; guess += 1) {
      await refusal(access, plain(`${guess}${'x'.repeat(8000)}:wrong`));
    }
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(5000 * 4000);
  });
});
