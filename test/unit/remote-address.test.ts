import { describe, expect, it } from 'vitest';
import { addressOf } from '../../src/transport/remote-address.ts';

describe('the address of a peer', () => {
  it.each([
    ['192.168.1.7', '192.168.1.7'],
    ['::ffff:192.168.1.7', '192.168.1.7'],
    ['::1', '::1'],
    ['fe80::1:ffff', 'fe80::1:ffff'],
    ['::ffff:1:2', '::ffff:1:2'],
    [undefined, 'unknown'],
  ])('%s is shown as %s', (remoteAddress, shown) => {
    expect(addressOf({ remoteAddress })).toBe(shown);
  });
});
