import { afterAll, describe, expect, it } from 'vitest';
import type { DnsRecord } from '../../src/discovery/dns.ts';
import type { LocalLink } from '../../src/discovery/local-links.ts';
import { mdnsCheck } from '../../src/doctor/mdns-check.ts';
import {
  doctorContext,
  findingsOf,
  type Settings,
  systemWith,
  textsOf,
} from '../support/doctor-rig.ts';
import { scratchFolder } from '../support/fifo.ts';
import { loopbackAsNetwork, MdnsPeer } from '../support/mdns-peer.ts';
import { freePort } from '../support/server-process.ts';

const type = '_snapcast._tcp.local';
const here = { interfaces: () => ({ lo: [loopbackAsNetwork] }) };
const elsewhere: LocalLink['address'] = '127.0.0.2';

const folder = scratchFolder();
afterAll(() => folder.remove());

/** A machine that is no container, whatever runs this test. */
function bareContext(settings: Settings = []) {
  return doctorContext(settings, { files: systemWith(folder.path, {}) });
}

/** What the doctor says where somebody announces a server of this name. */
async function withServer(name: string, interfaceAddress = '127.0.0.1', hidden?: string) {
  const port = await freePort();
  const peer = await MdnsPeer.open(port);
  const answer: DnsRecord = { name: type, type: 'PTR', ttl: 120, data: `${name}.${type}` };
  peer.onMessage = ({ isResponse, questions }) => {
    const isAsked = questions.some((question) => question.name === type);
    if (!isResponse && isAsked) peer.say({ isResponse: true, answers: [answer] });
  };
  try {
    const network = { ...loopbackAsNetwork, address: interfaceAddress };
    const further = hidden ? [{ ...network, address: hidden, internal: true }] : [];
    const interfaces = () => ({ lo: [network, ...further] });
    return await findingsOf(mdnsCheck(bareContext(), { port, interfaces }));
  } finally {
    peer.close();
  }
}

describe('mDNS', () => {
  it('can be off', async () => {
    const context = bareContext([['server.mdns_enabled', 'false']]);
    expect(await textsOf(mdnsCheck(context, here), 'note')).toEqual([
      expect.stringMatching(/does not announce itself/),
    ]);
  });

  it('needs a network', async () => {
    const check = mdnsCheck(bareContext(), { interfaces: () => ({}) });
    expect(await textsOf(check, 'warning')).toEqual([
      expect.stringMatching(/there is no network to announce the server on -> connect/),
    ]);
  });

  it('works where the port is free or shared', async () => {
    const check = mdnsCheck(bareContext(), { ...here, port: await freePort() });
    expect(await textsOf(check, 'ok')).toEqual(['the server can be announced on lo']);
  });

  it('finds that this machine announces a server', async () => {
    expect(await withServer('Snapcast')).toContainEqual({
      level: 'note',
      text: '"Snapcast" is announced by this machine already',
    });
  });

  it('knows each address of this machine, also one that is not published', async () => {
    expect(await withServer('Snapcast', elsewhere, '127.0.0.1')).toContainEqual({
      level: 'note',
      text: '"Snapcast" is announced by this machine already',
    });
  });

  it('finds another server of the same name, and of another one', async () => {
    const same = await withServer('Snapcast', elsewhere);
    expect(same).toContainEqual({
      level: 'warning',
      text: expect.stringMatching(/another server, "Snapcast", answers .* from 127.0.0.1;/),
      mend: expect.stringMatching(/stop the other server/),
    });
    const other = await withServer('Kitchen', elsewhere);
    expect(other.map(({ level }) => level)).not.toContain('warning');
    expect(other).toContainEqual({
      level: 'note',
      text: 'another server, "Kitchen", answers on the network from 127.0.0.1',
    });
  });

  it('tells when a network refuses', async () => {
    const gone = { ...loopbackAsNetwork, address: '192.0.2.7' };
    const place = { port: await freePort(), interfaces: () => ({ gone: [gone] }) };
    expect(await textsOf(mdnsCheck(bareContext(), place), 'warning')).toEqual([
      expect.stringMatching(/cannot be announced on gone \(IPv4\): .* -> allow multicast/),
    ]);
  });
});
