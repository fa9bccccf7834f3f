import { describe, expect, it } from 'vitest';
import { addressOf, networkOf } from '../../../../src/base/net/remote-address.ts';

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

describe('what counts as one address', () => {
  it.each([
    ['192.168.1.7', '192.168.1.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fd00:1::', 'fd00:1:0:0::/64'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
    ['unknown', 'unknown'],
  ])('of %s is %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
