import { describe, expect, it } from 'vitest';
import {
  isServerName,
  isWithin,
  namesOf,
  scopeOf,
} from '../../../src/certificates/server-names.ts';

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
    for (const name of [
      '',
      '-a',
      'a..b',
      '*.example.org',
      'a b',
      'a:1',
      'fe80::1%eth0',
      `${'x'.repeat(64)}.org`,
    ]) {
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
