import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePermissions } from '../../../src/auth/permissions.ts';

describe('permissions', () => {
  it.each([
    ['*', 'Server.GetStatus', true],
    ['*', '', true],
    ['Client.*', 'Client.SetVolume', true],
    ['Client.*', 'Client.', true],
    ['Client.*', 'Client', false],
    ['Client.*', 'ClientX.SetVolume', false],
    ['Client.*', 'client.SetVolume', false],
    ['Group.Set*', 'Group.SetMute', true],
    ['Group.Set*', 'Group.GetStatus', false],
    ['*.GetStatus', 'Server.GetStatus', true],
    ['*.GetStatus', 'Server.GetStatusX', false],
    ['*a*a', 'aa', true],
    ['*a*a', 'a', false],
    ['ab*ba', 'aba', false],
    ['ab*ba', 'abba', true],
    ['a*bc*c', 'abc', false],
    ['a*bc*c', 'abcc', true],
    ['Streaming', 'Streaming', true],
    ['Streaming', 'Streaming2', false],
    ['Stream.Control', 'StreamXControl', false],
  ])('of %j for %j: %j', (entry, name, expected) => {
    expect(compilePermissions([entry])(name)).toBe(expected);
  });

  it('are denied by an entry with a minus, wherever it stands', () => {
    for (const entries of [
      ['*', '-Server.Delete*', '-Streaming'],
      ['-Streaming', '-Server.Delete*', '*', 'Server.DeleteClient'],
    ]) {
      const permits = compilePermissions(entries);
      expect(permits('Server.DeleteClient')).toBe(false);
      expect(permits('Streaming')).toBe(false);
      expect(permits('Server.GetStatus')).toBe(true);
    }
  });

  it('are nothing without a grant', () => {
    expect(compilePermissions(['-Streaming'])('Server.GetStatus')).toBe(false);
    expect(compilePermissions([])('')).toBe(false);
  });

  it('match as a regular expression would', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 12 });
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 });
    fc.assert(
      fc.property(text, name, (pattern, candidate) => {
        const source = pattern.replaceAll('.', '\\.').replaceAll('*', '.*');
        const expected = new RegExp(`^${source}$`).test(candidate);
        expect(compilePermissions([pattern])(candidate)).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });
});
