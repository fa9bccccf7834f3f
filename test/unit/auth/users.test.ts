import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readUsers } from '../../../src/auth/user-entries.ts';
import { ConfigError } from '../../../src/base/errors.ts';
import { cheapHash } from '../../support/logins.ts';

const roles = ['admin:*', 'player: Streaming , Client.*', 'guest:*,-Server.*'];

function faultOf(users: readonly string[], roleEntries: readonly string[] = roles): string {
  try {
    readUsers({ roles: roleEntries, users });
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.message;
    throw thrown;
  }
  return '';
}

describe('users', () => {
  it('have name, password and role, and passwords may have colons', () => {
    const users = readUsers({
      roles,
      users: ['a:b:admin', ' ann :p:a:s:s::player', 'x:y: guest '],
    });
    expect([...users.values()].map(({ name, password }) => [name, password])).toEqual([
      ['a', 'b'],
      ['ann', 'p:a:s:s:'],
      ['x', 'y'],
    ]);
    expect(users.get('a')?.permits('Server.GetStatus')).toBe(true);
    expect(users.get('ann')?.permits('Client.SetVolume')).toBe(true);
    expect(users.get('ann')?.permits('Server.GetStatus')).toBe(false);
    expect(users.get('x')?.permits('Server.GetStatus')).toBe(false);
  });

  it.each(['ann:secret', 'ann:secret:'])('without a role, as %j, may do nothing', (entry) => {
    const ann = readUsers({ roles, users: [entry] }).get('ann');
    expect(ann?.password).toBe('secret');
    expect(ann?.permits('Streaming')).toBe(false);
  });

  it('may have a password with colons and no role', () => {
    expect(readUsers({ roles, users: ['ann:a:b:'] }).get('ann')?.password).toBe('a:b');
  });

  it('may have a hash', () => {
    const hash = cheapHash('secret');
    expect(readUsers({ roles, users: [`ann:${hash}:admin`] }).get('ann')?.password).toMatchObject({
      ln: 4,
      r: 8,
      p: 1,
    });
  });

  it('are refused with every fault at once', () => {
    const text = faultOf(
      ['nobody', ':pw:admin', 'ann::admin', 'bob:pw:admin', 'bob:other:player', 'cid:pw:nimda'],
      [...roles, 'admin:Streaming', 'empty:', 'odd:Group Set', 'nothing', ':*', 'minus:-'],
    );
    expect(text.split('\n')).toEqual([
      'the users cannot be used:',
      '  [authorization] role "admin": the name is taken; leave only one of them',
      expect.stringMatching(
        /^ {2}\[authorization\] role "empty": "" is no permission; allowed: a method name/,
      ),
      expect.stringMatching(/^ {2}\[authorization\] role "odd": "Group Set" is no permission/),
      '  [authorization] role number 7: allowed: <name>:<permission>[,...]',
      '  [authorization] role number 8: allowed: <name>:<permission>[,...]',
      expect.stringMatching(/^ {2}\[authorization\] role "minus": "-" is no permission/),
      '  [authorization] user number 1: allowed: <name>:<password>[:<role>]',
      '  [authorization] user number 2: allowed: <name>:<password>[:<role>]',
      '  [authorization] user "ann": the password is missing',
      '  [authorization] user "bob": the name is taken; leave only one of them',
      expect.stringMatching(
        /^ {2}\[authorization\] user "cid": what follows the last colon is no role \(admin, .*guest\); add that role/,
      ),
    ]);
  });

  it.each([
    ['a mistyped letter', (hash: string) => hash.replace('ln=', 'in=')],
    ['too much cost', (hash: string) => hash.replace('ln=4', 'ln=31')],
    ['no blocks', (hash: string) => hash.replace('r=8', 'r=0')],
    ['a missing end', (hash: string) => hash.slice(0, 60)],
  ])('are refused when a hash has %s', (_what, spoil) => {
    expect(faultOf([`ann:${spoil(cheapHash('x'))}:admin`])).toMatch(
      /user "ann": a password that begins with \$scrypt\$ is a hash, but this one is broken/,
    );
  });

  it('are told of only so far', () => {
    const text = faultOf(Array.from({ length: 1000 }, () => 'x'));
    expect(text.split('\n')).toHaveLength(22);
    expect(text).toMatch(/and 980 more$/);
  });

  it('never have their password shown', () => {
    const word = fc.string({ unit: fc.constantFrom('X', 'Y', ':', '$', ' ', '"'), minLength: 3 });
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), (passwords) => {
        const text = faultOf(passwords.map((password, index) => `user${index}:${password}`));
        expect(text).not.toMatch(/[XY]/);
      }),
    );
  });

  it('are read from anything without a fault of another kind', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.array(fc.string()), (some, others) => {
        expect(typeof faultOf(some, others)).toBe('string');
      }),
    );
  });
});
