import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Announcer, type AnnouncerOptions } from '../../src/discovery/announcer.ts';
import {
  type DnsMessage,
  type DnsRecord,
  typeA,
  typeAny,
  typePtr,
  typeSrv,
  typeTxt,
} from '../../src/discovery/dns-message.ts';
import { nameBytes } from '../../src/discovery/dns-name.ts';
import { encodeMessage } from '../../src/discovery/dns-writer.ts';
import { servicesOf } from '../../src/discovery/services.ts';
import { LogLines } from '../support/log-lines.ts';
import { freeUdpPort, loopbackAsNetwork, MdnsPeer } from '../support/mdns-peer.ts';
import { until } from '../support/waiting.ts';

const services = servicesOf({ streaming: 1704, control: 1705, http: 1780, https: 1788 });
const portOfType = new Map(services.map(({ type, port }) => [`${type}.local`, port]));
const oneService = servicesOf({ http: 1780 });
const httpType = '_snapcast-http._tcp.local';

let port: number;
let peer: MdnsPeer;
let log: LogLines;
let announcers: Announcer[];

beforeEach(async () => {
  port = await freeUdpPort();
  peer = await MdnsPeer.open(port);
  log = new LogLines();
  announcers = [];
});

afterEach(async () => {
  for (const announcer of announcers) await announcer.close();
  peer.close();
});

async function start(options: Partial<AnnouncerOptions> = {}): Promise<Announcer> {
  const announcer = await Announcer.start({
    services,
    name: 'Snapcast',
    logger: log,
    port,
    interfaces: () => ({ lo: [loopbackAsNetwork] }),
    ...options,
  });
  announcers.push(announcer);
  return announcer;
}

const announced = (name = 'Snapcast') =>
  until(
    () => log.with('services are announced').some(({ fields }) => fields.name === name),
    `${name} is announced`,
  );

const isAnnouncement = ({ answers }: DnsMessage) => answers.some(({ type }) => type === typeSrv);

/** Until both announcements are over, so that the next thing heard is an answer. */
async function settled(): Promise<void> {
  await until(() => peer.responses.filter(isAnnouncement).length === 2, 'it was announced twice');
  peer.heard.length = 0;
}

const portOf = ({ data }: DnsRecord) => data.readUInt16BE(4);

/** Somebody else's claim to a name; later in order than ours or earlier, by its port. */
function claim(instance: string, portNumber: number): DnsRecord {
  const header = Buffer.alloc(6);
  header.writeUInt16BE(portNumber, 4);
  const data = Buffer.concat([header, nameBytes('other.local')]);
  return { name: instance, type: typeSrv, ttlSeconds: 120, isUnique: true, data };
}

describe('the services', () => {
  it('are found by their types, with port and address, under one name', async () => {
    await start();
    await settled();
    for (const [type, servicePort] of portOfType) {
      peer.heard.length = 0;
      const instance = `Snapcast.${type}`;
      peer.ask(type, typePtr);
      const ofType = (wanted: number, name: string) =>
        peer.records.filter((record) => record.type === wanted && record.name === name);
      await until(() => ofType(typeSrv, instance).length > 0, `${type} is answered`);
      expect(ofType(typePtr, type)[0]?.data).toEqual(nameBytes(instance));
      expect(portOf(ofType(typeSrv, instance)[0]!)).toBe(servicePort);
      expect(ofType(typeTxt, instance)[0]?.data).toEqual(Buffer.of(0));
      const addresses = peer.records.filter((record) => record.type === typeA);
      expect(addresses[0]?.data).toEqual(Buffer.of(127, 0, 0, 1));
      const target = ofType(typeSrv, instance)[0]!.data.subarray(6);
      expect(target).toEqual(nameBytes(addresses[0]!.name));
    }
  });

  it('are listed for whoever asks for all types', async () => {
    await start();
    await settled();
    peer.ask('_services._dns-sd._udp.local', typePtr);
    await until(() => peer.responses.length > 0);
    const told = peer.responses[0]!.answers.map(({ data }) => data.toString('hex')).sort();
    const types = [...portOfType.keys()].map((type) => nameBytes(type).toString('hex')).sort();
    expect(told).toEqual(types);
  });

  it('are announced unasked, twice', async () => {
    await start({ services: oneService });
    const announcements = () => peer.responses.filter(isAnnouncement);
    await until(() => announcements().length === 2);
    expect(announcements()[1]).toEqual(announcements()[0]);
    expect(log.with('announced')).toHaveLength(1);
  });

  it('are taken back when the server stops', async () => {
    const announcer = await start();
    await settled();
    await announcer.close();
    const gone = () => peer.records.filter(({ ttlSeconds }) => ttlSeconds === 0);
    await until(() => gone().length >= 3 * services.length);
    for (const [type] of portOfType) {
      const pointer = gone().find((record) => record.name === type);
      expect(pointer?.data).toEqual(nameBytes(`Snapcast.${type}`));
    }
    expect(gone().some(({ name }) => name.startsWith('_services'))).toBe(false);
  });

  it('are told to programs that ask from a port of their own, alone and for a short time', async () => {
    await start();
    await announced();
    peer.heard.length = 0;
    const asker = await MdnsPeer.open(port, 0);
    asker.say({ id: 4711, questions: [{ name: httpType.toUpperCase(), type: typePtr }] });
    await until(() => asker.responses.length > 0);
    asker.close();
    const [response] = asker.responses;
    expect(response).toMatchObject({ id: 4711, questions: [{ type: typePtr }] });
    expect(asker.records.every(({ isUnique, ttlSeconds }) => !isUnique && ttlSeconds <= 10)).toBe(
      true,
    );
    expect(asker.records.map(({ type }) => type)).toEqual([typePtr, typeSrv, typeTxt, typeA]);
  });

  it('are not told again to somebody who knows them', async () => {
    await start();
    await announced();
    const pointer: DnsRecord = {
      name: httpType,
      type: typePtr,
      ttlSeconds: 4000,
      isUnique: false,
      data: nameBytes(`Snapcast.${httpType}`),
    };
    const asker = await MdnsPeer.open(port, 0);
    asker.ask(httpType, typePtr, [pointer]);
    asker.ask('_snapcast._tcp.local', typePtr, [pointer]);
    asker.ask(httpType, typePtr, [{ ...pointer, ttlSeconds: 2000 }]);
    await until(() => asker.responses.length === 2);
    asker.close();
    expect(asker.responses.map(({ questions }) => questions[0]?.name)).toEqual([
      '_snapcast._tcp.local',
      httpType,
    ]);
  });

  it('are told once when many ask at once', async () => {
    await start();
    await settled();
    const isAnswer = ({ answers }: DnsMessage) => answers.some(({ name }) => name === httpType);
    const answers = () => peer.responses.filter(isAnswer).length;
    const askOften = () => {
      for (let count = 0; count < 50; count += 1) peer.ask(httpType, typePtr);
    };
    askOften();
    await until(() => answers() === 1);
    askOften();
    peer.ask('_snapcast._tcp.local', typePtr);
    await until(() => peer.records.some(({ name }) => name === '_snapcast._tcp.local'));
    expect(answers()).toBe(1);
    await until(() => answers() === 2);
  });

  it('are nothing where nothing is to be announced', async () => {
    const announcer = await start({ services: [] });
    await announcer.close();
    expect(peer.heard).toEqual([]);
  });

  it('survive whatever is sent', async () => {
    await start();
    await announced();
    const bytes = encodeMessage({
      questions: [{ name: httpType, type: typeAny }],
      answers: [claim('x.local', 1)],
    });
    for (let length = 0; length < bytes.length; length += 1) {
      peer.sayBytes(bytes.subarray(0, length));
    }
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (random, asTail) => {
        const tail = Buffer.from(random);
        peer.sayBytes(asTail ? Buffer.concat([bytes.subarray(0, 12), tail]) : tail);
        await new Promise((resolve) => setImmediate(resolve));
      }),
      { numRuns: 300 },
    );
    const asker = await MdnsPeer.open(port, 0);
    asker.ask(httpType, typePtr);
    await until(() => asker.responses.length > 0);
    asker.close();
  });

  const lan = Object.entries(networkInterfaces()).find(([, infos]) =>
    infos?.some(
      ({ internal, family, address }) => !internal && family === 'IPv6' && /^fe80/.test(address),
    ),
  );

  it.runIf(lan)('are announced by IPv6, too', async () => {
    const [name, infos = []] = lan ?? ['', []];
    const ownly: NetworkInterfaceInfo[] = infos.filter(({ family }) => family === 'IPv6');
    const socket = createSocket({ type: 'udp6', reuseAddr: true });
    socket.bind(port, `ff02::fb%${name}`);
    await once(socket, 'listening');
    socket.addMembership('ff02::fb', `::%${name}`);
    let heard = '';
    socket.on('message', (bytes) => {
      heard += bytes.toString('latin1');
    });
    await start({ interfaces: () => ({ [name]: ownly }) });
    await until(() => heard.includes('_snapcast-jsonrpc'));
    socket.close();
  });
});

describe('the name', () => {
  const instance = `Snapcast.${httpType}`;

  it('gets a number when somebody has it', async () => {
    peer.onMessage = ({ isResponse, questions }) => {
      if (isResponse || !questions.some(({ name }) => name === instance)) return;
      peer.say({ isResponse: true, answers: [claim(instance, 9)] });
    };
    await start();
    await announced('Snapcast #2');
    await settled();
    peer.ask('_snapcast._tcp.local', typePtr);
    await until(() => peer.responses.length > 0);
    expect(peer.responses[0]?.answers[0]?.data).toEqual(
      nameBytes('Snapcast #2._snapcast._tcp.local'),
    );
  });

  it('gets a number when somebody takes it later', async () => {
    await start();
    await announced();
    peer.say({ isResponse: true, answers: [claim(instance, 9)] });
    await announced('Snapcast #2');
  });

  it('is kept when somebody says goodbye to it', async () => {
    await start();
    await settled();
    peer.say({ isResponse: true, answers: [{ ...claim(instance, 9), ttlSeconds: 0 }] });
    peer.ask(instance, typeSrv);
    await until(() => peer.responses.length > 0);
    expect(log.with('the name is taken')).toEqual([]);
  });

  it.each([
    ['kept against an earlier claim at the same time', 80, 'Snapcast'],
    ['left to a later claim at the same time', 65_535, 'Snapcast #2'],
  ])('is %s', async (_what, claimedPort, expected) => {
    peer.onMessage = ({ isResponse, questions }) => {
      if (isResponse || !questions.some(({ name }) => name === instance)) return;
      const questionsToo = [{ name: instance, type: typeAny }];
      peer.say({ questions: questionsToo, authorities: [claim(instance, claimedPort)] });
    };
    await start();
    await announced(expected);
    expect(log.with('the name is taken')).toHaveLength(expected === 'Snapcast' ? 0 : 1);
  });

  it('is defended as soon as somebody asks whether it is free', async () => {
    await start();
    await settled();
    peer.say({ questions: [{ name: instance, type: typeAny }], authorities: [claim(instance, 9)] });
    await until(() => peer.records.some(({ name, type }) => name === instance && type === typeSrv));
    expect(log.with('the name is taken')).toEqual([]);
  });

  it('is another one for each of several servers that start at once', async () => {
    await Promise.all([start(), start(), start()]);
    await Promise.all(['Snapcast', 'Snapcast #2', 'Snapcast #3'].map(announced));
    const places = () =>
      peer.records
        .filter(({ type, name }) => type === typeSrv && name.endsWith(httpType))
        .map(({ data }) => data.toString('hex'));
    await until(() => new Set(places()).size === 3);
  });
});

describe('a network', () => {
  it('that refuses gives one warning, and is used when it does not refuse any more', async () => {
    peer.close();
    const blocker = createSocket('udp4').bind(port, '0.0.0.0');
    await once(blocker, 'listening');
    const second = { ...loopbackAsNetwork, address: '127.0.0.2', cidr: '127.0.0.2/8' };
    await start({
      rescanMs: 10,
      interfaces: () => ({ one: [loopbackAsNetwork], two: [second], three: [second] }),
    });
    await until(() => log.with('EADDRINUSE').length > 6);
    expect(log.lines.filter(({ level }) => level === 'warn')).toEqual([
      {
        level: 'warn',
        tag: 'mDNS',
        phrase: 'services cannot be announced on a network',
        fields: { interface: 'one', reason: expect.stringContaining('EADDRINUSE') },
      },
    ]);
    expect(log.with('services are announced')).toEqual([]);
    blocker.close();
    await once(blocker, 'close');
    peer = await MdnsPeer.open(port);
    await announced();
    await until(() => peer.records.some(({ type }) => type === typeSrv));
  });

  it('that has no such address gives a warning, and others are used', async () => {
    const foreign = { ...loopbackAsNetwork, address: '192.0.2.77', cidr: '192.0.2.77/24' };
    await start({ interfaces: () => ({ gone: [foreign], lo: [loopbackAsNetwork] }) });
    await announced();
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    await until(() => peer.records.some(({ type }) => type === typeSrv));
  });

  it('that takes no datagrams gives one warning, and others are used', async () => {
    const unreachable: NetworkInterfaceInfo = {
      address: '::1',
      netmask: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
      cidr: '::1/128',
      family: 'IPv6',
      mac: loopbackAsNetwork.mac,
      internal: false,
      scopeid: 0,
    };
    await start({ rescanMs: 10, interfaces: () => ({ lo: [loopbackAsNetwork, unreachable] }) });
    await until(() => log.with('cannot be announced').length > 2);
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    await until(() => peer.records.some(({ type }) => type === typeSrv));
  });

  it('that comes later is used, and one that goes is left', async () => {
    let present: readonly NetworkInterfaceInfo[] = [];
    await start({ rescanMs: 10, interfaces: () => ({ lo: present }) });
    expect(log.lines).toEqual([]);
    present = [loopbackAsNetwork];
    await announced();
    const asked = async () => {
      const asker = await MdnsPeer.open(port, 0);
      asker.ask(httpType, typePtr);
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
  });

  it('that cannot be listed gives one warning', async () => {
    const announcer = await start({
      rescanMs: 1,
      interfaces: () => {
        throw new Error('EMFILE');
      },
    });
    await until(() => log.with('EMFILE').length > 2);
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    await announcer.close();
  });
});
