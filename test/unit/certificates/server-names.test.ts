import { describe, expect, it } from 'vitest';
import { addressBytes } from '../../../src/certificates/address-bytes.ts';
import {
  isServerName,
  isWithin,
  namesOf,
  scopeOf,
} from '../../../src/certificates/server-names.ts';

describe('the bytes of an address', () => {
  it.each([
    ['192.168.1.5', 'c0a80105'],
    ['::1', '00000000000000000000000000000001'],
    ['::', '00000000000000000000000000000000'],
    ['fd00::', 'fd000000000000000000000000000000'],
    ['2001:db8::8a2e:370:7334', '20010db80000000000008a2e03707334'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['::ffff:10.0.0.1', '00000000000000000000ffff0a000001'],
  ])('of %s are %s', (address, bytes) => {
    expect(addressBytes(address).toString('hex')).toBe(bytes);
  });
});

describe('the names of this machine', () => {
  it('are those that it is called in its network, and its private addresses', () => {
    const addresses = ['192.168.1.5', 'fd12::5', '2001:db8::5', '203.0.113.7'];
    expect(namesOf({ hostName: 'Living-Pi.example.org', addresses })).toEqual([
      'living-pi.example.org',
      'living-pi',
      'living-pi.local',
      'localhost',
      '127.0.0.1',
      '::1',
      '192.168.1.5',
      'fd12::5',
    ]);
  });

  it('leave out what is no name', () => {
    expect(namesOf({ hostName: 'my box!', addresses: [] })).not.toContain('my box!');
    for (const name of ['', '-a', 'a..b', '*.example.org', 'a b', 'a:1', `${'x'.repeat(64)}.org`]) {
      expect(isServerName(name), name).toBe(false);
    }
  });
});

describe('what an authority may sign for', () => {
  const scope = scopeOf(['living-pi', 'music.example.org', '203.0.113.7']);

  it.each([
    'living-pi',
    'x.local',
    'a.b.lan',
    'music.example.org',
    '203.0.113.7',
    '10.1.2.3',
    'fd00::1',
  ])('holds %s', (name) => {
    expect(isWithin(name, scope)).toBe(true);
  });

  it.each(['example.org', 'bank.example', 'xlocal', '203.0.113.8', '8.8.8.8', '2001:db8::1'])(
    'does not hold %s',
    (name) => {
      expect(isWithin(name, scope)).toBe(false);
    },
  );
});
