import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { announce } from '../../src/app/announcement.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { Announcer, type AnnouncerOptions } from '../../src/discovery/announcer.ts';
import { type DnsMessage, type DnsRecord, encodeMessage } from '../../src/discovery/dns.ts';
import { servicesOf } from '../../src/discovery/services.ts';
import { option, withoutFile } from '../support/config-text.ts';
import { type LogLine, LogLines } from '../support/log-lines.ts';
import { loopbackAsNetwork, MdnsPeer } from '../support/mdns-peer.ts';
import { freePort } from '../support/server-process.ts';
import { until } from '../support/waiting.ts';

const services = servicesOf({ streaming: 1704, control: 1705, http: 1780, https: 1788 });
const portOfType = new Map(services.map(({ type, port }) => [`${type}.local`, port]));
const oneService = servicesOf({ http: 1780 });
const httpType = '_snapcast-http._tcp.local';

/** One datagram of each announcement, the last one where there are several. */
const isAnnouncement = ({ answers }: DnsMessage) =>
  answers.some(({ name, type }) => type === 'SRV' && name.endsWith(httpType));

/** A network of its own for each test, so that they run side by side. */
class Network {
  readonly log = new LogLines();
  readonly port: number;
  peer: MdnsPeer;
  readonly #announcers: Announcer[] = [];

  static async open(): Promise<Network> {
    const port = await freePort();
    return new Network(port, await MdnsPeer.open(port));
  }

  private constructor(port: number, peer: MdnsPeer) {
    this.port = port;
    this.peer = peer;
  }

  async start(options: Partial<AnnouncerOptions> = {}): Promise<Announcer> {
    const announcer = await Announcer.start({
      services,
      name: 'Snapcast',
      logger: this.log,
      port: this.port,
      interfaces: () => ({ lo: [loopbackAsNetwork] }),
      ...options,
    });
    this.#announcers.push(announcer);
    return announcer;
  }

  announced(name = 'Snapcast'): Promise<void> {
    const isNamed = ({ fields }: LogLine) => fields.name === name;
    return until(
      () => this.log.with('services are announced').some(isNamed),
      `${name} is announced`,
    );
  }

  /** Until both announcements are over, so that the next thing heard is an answer. */
  async settled(): Promise<void> {
    const count = () => this.peer.responses.filter(isAnnouncement).length;
    await until(() => count() === 2, 'it was announced twice');
    this.peer.heard.length = 0;
  }

  async close(): Promise<void> {
    for (const announcer of this.#announcers) await announcer.close();
    this.peer.close();
  }
}

function onNetwork<Args extends readonly unknown[]>(
  body: (network: Network, ...args: Args) => Promise<void>,
): (...args: Args) => Promise<void> {
  return async (...args) => {
    const network = await Network.open();
    try {
      await body(network, ...args);
    } finally {
      await network.close();
    }
  };
}

/** Somebody else's claim to a name; later in order than ours or earlier, by its port. */
function claim(name: string, portNumber: number): DnsRecord {
  const data = { port: portNumber, target: 'other.local' };
  return { name, type: 'SRV', ttl: 120, flush: true, data };
}

describe.concurrent('the services', () => {
  it(
    'are found by their types, with port and address, under one name',
    onNetwork(async (network) => {
      await network.start();
      await network.settled();
      for (const [type, servicePort] of portOfType) {
        network.peer.heard.length = 0;
        const instance = `Snapcast.${type}`;
        network.peer.ask(type, 'PTR');
        const ofType = (wanted: string, name: string) =>
          network.peer.records.filter((record) => record.type === wanted && record.name === name);
        await until(() => ofType('SRV', instance).length > 0, `${type} is answered`);
        expect(ofType('PTR', type)[0]?.data).toBe(instance);
        expect(ofType('TXT', instance)[0]?.data).toEqual([Buffer.alloc(0)]);
        const [address] = network.peer.records.filter((record) => record.type === 'A');
        expect(address).toMatchObject({ data: '127.0.0.1', flush: true });
        expect(ofType('SRV', instance)[0]).toMatchObject({
          data: { port: servicePort, target: address!.name },
          flush: true,
        });
      }
    }),
  );

  it(
    'are listed for whoever asks for all types',
    onNetwork(async (network) => {
      await network.start();
      await network.settled();
      network.peer.ask('_services._dns-sd._udp.local', 'PTR');
      await until(() => network.peer.responses.length > 0);
      const told = network.peer.responses[0]!.answers.map(({ data }) => data).sort();
      expect(told).toEqual([...portOfType.keys()].sort());
    }),
  );

  it(
    'are announced unasked, twice',
    onNetwork(async (network) => {
      await network.start({ services: oneService });
      const announcements = () => network.peer.responses.filter(isAnnouncement);
      await until(() => announcements().length === 2);
      expect(announcements()[1]).toEqual(announcements()[0]);
      const probes = network.peer.heard.filter(({ isResponse }) => !isResponse);
      expect(probes).toHaveLength(3);
      expect(probes[0]).toMatchObject({
        questions: [{ name: `Snapcast.${httpType}`, type: 'ANY' }],
        authorities: [{ type: 'SRV', flush: false, data: { port: 1780 } }],
      });
      expect(network.log.with('announced')).toHaveLength(1);
    }),
  );

  it(
    'are taken back when the server stops',
    onNetwork(async (network) => {
      const announcer = await network.start();
      await network.settled();
      await announcer.close();
      const gone = () => network.peer.records.filter(({ ttl }) => ttl === 0);
      await until(() => gone().length >= 3 * services.length);
      for (const [type] of portOfType) {
        const pointer = gone().find((record) => record.name === type);
        expect(pointer?.data).toBe(`Snapcast.${type}`);
      }
      expect(gone().some(({ name }) => name.startsWith('_services'))).toBe(false);
    }),
  );

  it(
    'are told to programs that ask from a port of their own, alone and for a short time',
    onNetwork(async (network) => {
      await network.start();
      await network.announced();
      network.peer.heard.length = 0;
      const asker = await MdnsPeer.open(network.port, 0);
      asker.say({ id: 4711, questions: [{ name: httpType.toUpperCase(), type: 'PTR' }] });
      await until(() => asker.responses.length > 0);
      asker.close();
      const [response] = asker.responses;
      expect(response).toMatchObject({ id: 4711, questions: [{ type: 'PTR' }] });
      expect(asker.records.every(({ flush, ttl }) => !flush && ttl <= 10)).toBe(true);
      expect(asker.records.map(({ type }) => type)).toEqual(['PTR', 'SRV', 'TXT', 'A']);
    }),
  );

  it(
    'are not told again to somebody who knows them',
    onNetwork(async (network) => {
      await network.start();
      await network.announced();
      const pointer: DnsRecord = {
        name: httpType,
        type: 'PTR',
        ttl: 4000,
        data: `Snapcast.${httpType}`,
      };
      const asker = await MdnsPeer.open(network.port, 0);
      asker.ask(httpType, 'PTR', [pointer]);
      asker.ask('_snapcast._tcp.local', 'PTR', [pointer]);
      asker.ask(httpType, 'PTR', [{ ...pointer, ttl: 2000 }]);
      asker.ask(httpType, 'PTR', [{ ...pointer, data: `Other.${httpType}` }]);
      await until(() => asker.responses.length === 3);
      asker.close();
      expect(asker.responses.map(({ questions }) => questions[0]?.name)).toEqual([
        '_snapcast._tcp.local',
        httpType,
        httpType,
      ]);
    }),
  );

  it(
    'are told once when many ask at once',
    onNetwork(async (network) => {
      await network.start();
      await network.settled();
      const isAnswer = ({ answers }: DnsMessage) => answers.some(({ name }) => name === httpType);
      const answers = () => network.peer.responses.filter(isAnswer).length;
      const askOften = () => {
        for (let count = 0; count < 50; count += 1) network.peer.ask(httpType, 'PTR');
      };
      askOften();
      await until(() => answers() === 1);
      askOften();
      network.peer.ask('_snapcast._tcp.local', 'PTR');
      await until(() => network.peer.records.some(({ name }) => name === '_snapcast._tcp.local'));
      expect(answers()).toBe(1);
      await until(() => answers() === 2);
    }),
  );

  it(
    'are nothing where nothing is to be announced',
    onNetwork(async (network) => {
      const announcer = await network.start({ services: [] });
      await announcer.close();
      expect(network.peer.heard).toEqual([]);
    }),
  );

  it(
    'survive whatever is sent',
    onNetwork(async (network) => {
      await network.start();
      await network.announced();
      const bytes = encodeMessage({
        questions: [{ name: httpType, type: 'ANY' }],
        answers: [claim('x.local', 1)],
      });
      for (let length = 0; length < bytes.length; length += 1) {
        network.peer.sayBytes(bytes.subarray(0, length));
      }
      await fc.assert(
        fc.asyncProperty(
          fc.uint8Array({ maxLength: 200 }),
          fc.boolean(),
          async (random, asTail) => {
            const tail = Buffer.from(random);
            network.peer.sayBytes(asTail ? Buffer.concat([bytes.subarray(0, 12), tail]) : tail);
            await new Promise((resolve) => setImmediate(resolve));
          },
        ),
        { numRuns: 300 },
      );
      const asker = await MdnsPeer.open(network.port, 0);
      asker.ask(httpType, 'PTR');
      await until(() => asker.responses.length > 0);
      asker.close();
    }),
  );

  const lan = Object.entries(networkInterfaces()).find(([, infos]) =>
    infos?.some(
      ({ internal, family, address }) => !internal && family === 'IPv6' && /^fe80/.test(address),
    ),
  );

  it.runIf(lan)(
    'are announced by IPv6, too',
    onNetwork(async (network) => {
      const [name, infos = []] = lan ?? ['', []];
      const ownly: NetworkInterfaceInfo[] = infos.filter(({ family }) => family === 'IPv6');
      const socket = createSocket({ type: 'udp6', reuseAddr: true });
      socket.bind(network.port, `ff02::fb%${name}`);
      await once(socket, 'listening');
      socket.addMembership('ff02::fb', `::%${name}`);
      let heard = '';
      socket.on('message', (bytes) => {
        heard += bytes.toString('latin1');
      });
      await network.start({ interfaces: () => ({ [name]: ownly }) });
      await until(() => heard.includes('_snapcast-jsonrpc'));
      socket.close();
    }),
  );
});

describe.concurrent('a port', () => {
  const ports = { streaming: 1704, control: 1705, http: 1780, https: 1788 };
  const publishKeys: Readonly<Record<keyof typeof ports, string>> = {
    streaming: 'tcp-streaming.publish',
    control: 'tcp-control.publish',
    http: 'http.publish_http',
    https: 'http.publish_https',
  };
  const kinds = Object.keys(ports) as (keyof typeof ports)[];

  /** The ports that are announced of those that `published` names. */
  async function announcedOf(network: Network, published: readonly (keyof typeof ports)[]) {
    const overrides = kinds.map((kind) =>
      option(publishKeys[kind], String(published.includes(kind))),
    );
    const { config } = loadConfig({ ...withoutFile, overrides });
    const place = { port: network.port, interfaces: () => ({ lo: [loopbackAsNetwork] }) };
    const announcer = await announce(config, ports, { logger: network.log, ...place });
    if (!announcer) return [];
    await network.announced();
    const portsTold = () =>
      new Set(network.peer.records.flatMap((one) => (one.type === 'SRV' ? [one.data.port] : [])));
    await until(() => portsTold().size > 0);
    await announcer.close();
    return [...portsTold()];
  }

  it.each(kinds)('of the kind %s is announced where the settings say so, and no other', (kind) =>
    onNetwork(async (network) => {
      expect(await announcedOf(network, [kind])).toEqual([ports[kind]]);
    })(),
  );

  it(
    'is not announced where the settings say so',
    onNetwork(async (network) => {
      expect(await announcedOf(network, [])).toEqual([]);
    }),
  );
});

describe.concurrent('the name', () => {
  const instance = `Snapcast.${httpType}`;

  it(
    'gets a number when somebody has it',
    onNetwork(async (network) => {
      network.peer.onMessage = ({ isResponse, questions }) => {
        if (isResponse || !questions.some(({ name }) => name === instance)) return;
        network.peer.say({ isResponse: true, answers: [claim(instance, 9)] });
      };
      await network.start();
      await network.announced('Snapcast #2');
      await network.settled();
      network.peer.ask('_snapcast._tcp.local', 'PTR');
      await until(() => network.peer.responses.length > 0);
      expect(network.peer.responses[0]?.answers[0]?.data).toBe('Snapcast #2._snapcast._tcp.local');
    }),
  );

  it(
    'gets a number when somebody takes it later',
    onNetwork(async (network) => {
      await network.start();
      await network.announced();
      network.peer.say({ isResponse: true, answers: [claim(instance, 9)] });
      await network.announced('Snapcast #2');
    }),
  );

  it(
    'is kept when somebody says goodbye to it',
    onNetwork(async (network) => {
      await network.start();
      await network.settled();
      network.peer.say({ isResponse: true, answers: [{ ...claim(instance, 9), ttl: 0 }] });
      network.peer.ask(instance, 'SRV');
      await until(() => network.peer.responses.length > 0);
      expect(network.log.with('the name is taken')).toEqual([]);
    }),
  );

  it.each([
    ['kept against an earlier claim at the same time', 80, 'Snapcast'],
    ['left to a later claim at the same time', 65_535, 'Snapcast #2'],
  ])(
    'is %s',
    onNetwork(async (network, _what, claimedPort, expected) => {
      network.peer.onMessage = ({ isResponse, questions }) => {
        if (isResponse || !questions.some(({ name }) => name === instance)) return;
        const questionsToo = [{ name: instance, type: 'ANY' }];
        network.peer.say({ questions: questionsToo, authorities: [claim(instance, claimedPort)] });
      };
      await network.start();
      await network.announced(expected);
      expect(network.log.with('the name is taken')).toHaveLength(expected === 'Snapcast' ? 0 : 1);
    }),
  );

  it(
    'is defended as soon as somebody asks whether it is free',
    onNetwork(async (network) => {
      await network.start();
      await network.settled();
      network.peer.say({
        questions: [{ name: instance, type: 'ANY' }],
        authorities: [claim(instance, 9)],
      });
      await until(() =>
        network.peer.records.some(({ name, type }) => name === instance && type === 'SRV'),
      );
      expect(network.log.with('the name is taken')).toEqual([]);
    }),
  );

  it(
    'is another one for each of several servers that start at once',
    onNetwork(async (network) => {
      await Promise.all([network.start(), network.start(), network.start()]);
      await Promise.all(
        ['Snapcast', 'Snapcast #2', 'Snapcast #3'].map((name) => network.announced(name)),
      );
      const places = () =>
        network.peer.records
          .filter(({ type, name }) => type === 'SRV' && name.endsWith(httpType))
          .map(({ data }) => JSON.stringify(data));
      await until(() => new Set(places()).size === 3);
    }),
  );
});

describe.concurrent('a network', () => {
  it(
    'that refuses gives one warning, and is used when it does not refuse any more',
    onNetwork(async (network) => {
      network.peer.close();
      const blocker = createSocket('udp4').bind(network.port, '0.0.0.0');
      await once(blocker, 'listening');
      const second = { ...loopbackAsNetwork, address: '127.0.0.2', cidr: '127.0.0.2/8' };
      await network.start({
        rescanMs: 10,
        interfaces: () => ({ one: [loopbackAsNetwork], two: [second], three: [second] }),
      });
      await until(() => network.log.with('EADDRINUSE').length > 6);
      expect(network.log.lines.filter(({ level }) => level === 'warn')).toEqual([
        {
          level: 'warn',
          tag: 'mDNS',
          phrase: 'services cannot be announced on a network',
          fields: { interface: 'one', reason: expect.stringContaining('EADDRINUSE') },
        },
      ]);
      expect(network.log.with('services are announced')).toEqual([]);
      blocker.close();
      await once(blocker, 'close');
      network.peer = await MdnsPeer.open(network.port);
      await network.announced();
      await until(() => network.peer.records.some(({ type }) => type === 'SRV'));
    }),
  );

  it(
    'that refuses is tried again ever more seldom, and afresh when it comes back',
    onNetwork(async (network) => {
      network.peer.close();
      const blocker = createSocket('udp4').bind(network.port, '0.0.0.0');
      await once(blocker, 'listening');
      const goneAt = 20;
      const tries: number[] = [];
      await network.start({
        rescanMs: 1,
        interfaces: () => {
          tries.push(network.log.with('EADDRINUSE').length);
          return tries.length - 1 === goneAt ? {} : { lo: [loopbackAsNetwork] };
        },
      });
      await until(() => tries.length > 27);
      const triedAt = tries
        .slice(0, 27)
        .flatMap((count, scan) => (tries[scan + 1]! > count ? [scan] : []));
      expect(triedAt).toEqual([0, 1, 3, 7, 15, 21, 22, 24]);
      blocker.close();
      await once(blocker, 'close');
      network.peer = await MdnsPeer.open(network.port);
    }),
  );

  it(
    'that has no such address gives a warning, and others are used',
    onNetwork(async (network) => {
      const foreign = { ...loopbackAsNetwork, address: '192.0.2.77', cidr: '192.0.2.77/24' };
      await network.start({ interfaces: () => ({ gone: [foreign], lo: [loopbackAsNetwork] }) });
      await network.announced();
      expect(network.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
      await until(() => network.peer.records.some(({ type }) => type === 'SRV'));
    }),
  );

  it(
    'that takes no datagrams gives one warning, and others are used',
    onNetwork(async (network) => {
      const unreachable: NetworkInterfaceInfo = {
        address: '::1',
        netmask: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
        cidr: '::1/128',
        family: 'IPv6',
        mac: loopbackAsNetwork.mac,
        internal: false,
        scopeid: 0,
      };
      await network.start({
        rescanMs: 10,
        interfaces: () => ({ lo: [loopbackAsNetwork, unreachable] }),
      });
      await until(() => network.log.with('cannot be announced').length > 2);
      expect(network.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
      await until(() => network.peer.records.some(({ type }) => type === 'SRV'));
    }),
  );

  it(
    'that comes later is used, and one that goes is left',
    onNetwork(async (network) => {
      let present: readonly NetworkInterfaceInfo[] = [];
      await network.start({ rescanMs: 10, interfaces: () => ({ lo: present }) });
      expect(network.log.lines).toEqual([]);
      present = [loopbackAsNetwork];
      await network.announced();
      const asked = async () => {
        const asker = await MdnsPeer.open(network.port, 0);
        asker.ask(httpType, 'PTR');
        return asker;
      };
      const first = await asked();
      await until(() => first.responses.length > 0);
      first.close();
      present = [];
      // The group is left some turns later; whoever asks then hears nothing.
      await new Promise((resolve) => setTimeout(resolve, 200));
      const second = await asked();
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(second.responses).toEqual([]);
      second.close();
    }),
  );

  it(
    'is looked for no more after the end, though that comes amid a look',
    onNetwork(async (network) => {
      let looks = 0;
      let ended: Promise<void> | undefined;
      const announcer = await network.start({
        rescanMs: 5,
        interfaces: () => {
          looks += 1;
          // It ends when the socket for the new network is about to open.
          if (looks === 3) queueMicrotask(() => (ended = announcer.close()));
          return looks < 3 ? {} : { lo: [loopbackAsNetwork] };
        },
      });
      await until(() => ended !== undefined);
      await ended;
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(looks).toBe(3);
      const asker = await MdnsPeer.open(network.port, 0);
      asker.ask(httpType, 'PTR');
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(asker.responses).toEqual([]);
      asker.close();
    }),
  );

  it(
    'that cannot be listed gives one warning',
    onNetwork(async (network) => {
      const announcer = await network.start({
        rescanMs: 1,
        interfaces: () => {
          throw new Error('EMFILE');
        },
      });
      await until(() => network.log.with('EMFILE').length > 2);
      expect(network.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
      await announcer.close();
    }),
  );
});
