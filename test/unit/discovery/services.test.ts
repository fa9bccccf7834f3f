import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { type DnsRecord, encodeMessage, rankOf } from '../../../src/discovery/dns.ts';
import { localLinks, maxLinks } from '../../../src/discovery/local-links.ts';
import { ServiceRecords } from '../../../src/discovery/service-records.ts';
import { servicesOf } from '../../../src/discovery/services.ts';

describe('the announced services', () => {
  it('are those of today and those that older programs look for', () => {
    expect(servicesOf({ streaming: 1, control: 2, http: 3, https: 4 })).toEqual([
      { type: '_snapcast._tcp', port: 1 },
      { type: '_snapcast-stream._tcp', port: 1 },
      { type: '_snapcast-ctrl._tcp', port: 2 },
      { type: '_snapcast-jsonrpc._tcp', port: 2 },
      { type: '_snapcast-tcp._tcp', port: 2 },
      { type: '_snapcast-http._tcp', port: 3 },
      { type: '_snapcast-https._tcp', port: 4 },
    ]);
  });

  it('are only those of open ports', () => {
    expect(servicesOf({})).toEqual([]);
    expect(servicesOf({ streaming: 0, http: 1780, https: undefined })).toEqual([
      { type: '_snapcast-http._tcp', port: 1780 },
    ]);
  });
});

describe('the records', () => {
  const addresses = ['192.0.2.1', 'fd00::2', '::', '1:2:3:4:5:6:7:8', 'fe80::fc:ff:fe00:1', '1::'];
  const records = (port = 1704, name = 'Snapcast') =>
    new ServiceRecords({ services: servicesOf({ http: port }), name, host: 'nas', addresses });

  it('have the bytes of addresses', () => {
    const answers = records().answersTo({ name: 'NAS.local', type: 'ANY' });
    expect(answers.map((record) => rankOf(record).toString('hex'))).toEqual([
      '0001c0000201',
      '001cfd000000000000000000000000000002',
      '001c00000000000000000000000000000000',
      '001c00010002000300040005000600070008',
      '001cfe8000000000000000fc00fffe000001',
      '001c00010000000000000000000000000000',
    ]);
  });

  it('are asked for in one datagram, whatever their names', () => {
    const services = servicesOf({ streaming: 1, control: 2, http: 3, https: 4 });
    const name = 'Snapcast #1000';
    const { probes, claims } = new ServiceRecords({
      services,
      name,
      host: 'x'.repeat(63),
      addresses,
    });
    const bytes = encodeMessage({ questions: probes, authorities: claims });
    expect(bytes.length).toBeLessThanOrEqual(1440);
  });

  it('are contradicted by another place under the same name only', () => {
    const [ours] = records().claims;
    const other = records(9).claims[0]!;
    const contradicts = (change: object) =>
      records().isContradictedBy({ ...other, ...change } as DnsRecord);
    expect(records().isContradictedBy(ours!)).toBe(false);
    expect(contradicts({})).toBe(true);
    expect(contradicts({ name: ours!.name.toUpperCase() })).toBe(true);
    expect(contradicts({ name: `x${ours!.name}` })).toBe(false);
    expect(contradicts({ ttl: 0 })).toBe(false);
    expect(contradicts({ type: 'TXT', data: '' })).toBe(false);
  });

  it('lose to claims that are later in order', () => {
    const { name } = records().claims[0]!;
    const ours = records(1704).claims[0]!;
    const later = records(1705).claims[0]!;
    const text: DnsRecord = { name, type: 'TXT', ttl: 120, data: '' };
    const loses = (...claims: readonly DnsRecord[]) => records(1704).losesTo(claims);
    expect(loses()).toBe(false);
    expect(loses(ours)).toBe(false);
    expect(loses({ ...ours, ttl: 1, flush: false })).toBe(false);
    expect(loses(records(1703).claims[0]!)).toBe(false);
    expect(loses(later)).toBe(true);
    expect(loses({ ...later, name: name.toUpperCase() })).toBe(true);
    expect(loses(...records(1705, 'Other').claims)).toBe(false);
    // Of several claims to a name the first in order decide.
    expect(loses(later, text)).toBe(false);
    expect(loses(later, ours)).toBe(true);
    expect(loses(ours, ours)).toBe(true);
  });
});

describe('the networks', () => {
  const lan: NetworkInterfaceInfo = {
    address: '192.0.2.1',
    netmask: '255.255.255.0',
    cidr: '192.0.2.1/24',
    family: 'IPv4',
    mac: '02:00:00:00:00:01',
    internal: false,
  };
  const linkLocal: NetworkInterfaceInfo = {
    address: 'fe80::1',
    netmask: 'ffff:ffff:ffff:ffff::',
    cidr: 'fe80::1/64',
    family: 'IPv6',
    mac: lan.mac,
    internal: false,
    scopeid: 2,
  };
  const global: NetworkInterfaceInfo = {
    ...linkLocal,
    address: 'fd00::1',
    cidr: 'fd00::1/64',
    scopeid: 0,
  };

  it('are one per interface and version of IP', () => {
    const links = localLinks({ eth0: [lan, linkLocal], eth1: [linkLocal], eth2: undefined });
    expect(links.map(({ interfaceName, family }) => [interfaceName, family])).toEqual([
      ['eth0', 'IPv4'],
      ['eth0', 'IPv6'],
      ['eth1', 'IPv6'],
    ]);
  });

  it('are none without hardware, without neighbours or inside the machine', () => {
    const tunnel = { ...lan, mac: '00:00:00:00:00:00' };
    const single = { ...lan, cidr: '192.0.2.1/32' };
    expect(localLinks({ lo: [{ ...lan, internal: true }], tun0: [tunnel], one: [single] })).toEqual(
      [],
    );
  });

  it('publish addresses that need a scope only where there are no better ones', () => {
    const published = (...infos: readonly NetworkInterfaceInfo[]) =>
      localLinks({ eth0: infos })[0]?.published;
    expect(published(lan, linkLocal)).toEqual(['192.0.2.1', 'fe80::1']);
    expect(published(lan, linkLocal, global)).toEqual(['192.0.2.1', 'fd00::1']);
  });

  it('are other ones when an address changes', () => {
    const keys = (...infos: readonly NetworkInterfaceInfo[]) =>
      localLinks({ eth0: infos }).map(({ key }) => key);
    expect(keys(lan)).toEqual(keys({ ...lan }));
    expect(keys(lan)).not.toEqual(keys({ ...lan, address: '192.0.2.9', cidr: '192.0.2.9/24' }));
    expect(keys(lan, linkLocal)).not.toEqual(keys(lan, linkLocal, global));
  });

  it('have their neighbours', () => {
    const second = { ...lan, address: '10.0.0.1', cidr: '10.0.0.1/8' };
    const [ipv4] = localLinks({ eth0: [lan, second] });
    expect(
      ['192.0.2.77', '10.9.8.7', '192.0.3.1', '8.8.8.8'].map((one) => ipv4?.isNeighbour(one)),
    ).toEqual([true, true, false, false]);
    const [ipv6] = localLinks({ eth0: [linkLocal] });
    expect(ipv6?.isNeighbour('fe80::2%eth0')).toBe(true);
  });

  it('are limited in number', () => {
    const many = Object.fromEntries(
      Array.from({ length: 100 }, (_, index) => [`veth${index}`, [lan]]),
    );
    expect(localLinks(many)).toHaveLength(maxLinks);
  });
});
