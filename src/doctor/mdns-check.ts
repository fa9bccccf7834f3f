import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { instanceName } from '../app/announcement.ts';
import { messageOf } from '../base/errors.ts';
import { type DnsRecord, decodeMessage, encodeMessage, nameKey } from '../discovery/dns.ts';
import { LinkSocket, multicastPort } from '../discovery/link-socket.ts';
import { type LocalLink, localLinks, type NetworkInterfaces } from '../discovery/local-links.ts';
import { isInContainer } from './container.ts';
import type { DoctorContext } from './context.ts';
import { type Check, type Finding, note, ok, warning } from './finding.ts';
import { describeProcess } from './process-table.ts';

const listenMs = 1500;
const serviceType = '_snapcast._tcp.local';

/** Whether the server can be found, and whom players would find besides. */
export function mdnsCheck(
  context: DoctorContext,
  {
    port = multicastPort,
    interfaces = networkInterfaces,
  }: { readonly port?: number; readonly interfaces?: () => NetworkInterfaces } = {},
): Check {
  return { name: 'mDNS', run: () => checkMdns(context, port, interfaces()) };
}

async function checkMdns(
  context: DoctorContext,
  port: number,
  present: NetworkInterfaces,
): Promise<readonly Finding[]> {
  const { mdnsEnabled } = context.config.server;
  if (!mdnsEnabled) {
    return [note('the server does not announce itself: players need its address')];
  }
  const links = localLinks(present);
  if (links.length === 0) {
    const text = 'there is no network to announce the server on';
    return [warning(text, `connect the machine; ${containerAdvice}`)];
  }
  const survey = await surveyOf(links, port);
  return [
    ...survey.refusals.map((refusal) => refusalFinding(refusal, port, context)),
    ...sharing(port, context),
    ...containerFindings(context),
    ...serverFindings(survey, addressesOf(present)),
  ];
}

interface Survey {
  /** Networks that can be used. */
  readonly opened: readonly string[];
  readonly refusals: readonly { readonly link: LocalLink; readonly reason: string }[];
  /** Who answers: its name, and from which address. */
  readonly servers: ReadonlyMap<string, { readonly name: string; readonly address: string }>;
}

/** Asks all networks which servers are there. */
async function surveyOf(links: readonly LocalLink[], port: number): Promise<Survey> {
  const servers = new Map<string, { name: string; address: string }>();
  const refusals: { link: LocalLink; reason: string }[] = [];
  const sockets: LinkSocket[] = [];
  const opened: string[] = [];
  for (const link of links) {
    try {
      const socket = await LinkSocket.open({
        link,
        port,
        onMessage: (bytes, { address }) => {
          for (const name of namesIn(bytes)) servers.set(`${name} ${address}`, { name, address });
        },
        onError: (error) => refusals.push({ link, reason: error.message }),
      });
      sockets.push(socket);
      opened.push(link.interfaceName);
      await socket.send(encodeMessage({ questions: [{ name: serviceType, type: 'PTR' }] }));
    } catch (error) {
      refusals.push({ link, reason: messageOf(error) });
    }
  }
  if (sockets.length > 0) await sleep(listenMs);
  for (const socket of sockets) socket.close();
  return { opened: [...new Set(opened)], refusals, servers };
}

/** What people see of the servers that a message speaks of. */
function namesIn(bytes: Buffer): readonly string[] {
  const { answers = [], additionals = [], isResponse } = decodeMessage(bytes) ?? {};
  if (!isResponse) return [];
  const isServer = (record: DnsRecord) =>
    record.type === 'PTR' && nameKey(record.name) === serviceType && record.ttl > 0;
  return [...answers, ...additionals]
    .filter(isServer)
    .flatMap(({ data }) => (typeof data === 'string' ? data.split(`.${serviceType}`, 1) : []));
}

function refusalFinding(
  { link, reason }: Survey['refusals'][number],
  port: number,
  { processes }: DoctorContext,
): Finding {
  const owner = processes.listenerOn(port, 'udp');
  const isTaken = reason.includes('EADDRINUSE');
  const by = isTaken && owner ? ` by ${describeProcess(owner)}` : '';
  const advice = isTaken
    ? `let that program share port ${port}, or stop it`
    : 'allow multicast on this network, or set mdns_enabled = false in [server]';
  const text = `the server cannot be announced on ${link.interfaceName} (${link.family}): ${reason}`;
  return warning(`${text}${by}`, advice);
}

function sharing(port: number, { processes }: DoctorContext): readonly Finding[] {
  const owner = processes.listenerOn(port, 'udp');
  if (!owner || owner.pid === process.pid || owner.server) return [];
  return [note(`port ${port} is shared with ${describeProcess(owner)}, which is fine`)];
}

const containerAdvice = 'in a container use the network of the host (--network host)';

/** The only interface of such a container is one end of a pair. */
function containerFindings({ files }: DoctorContext): readonly Finding[] {
  if (!isInContainer(files)) return [];
  const isPaired = files.entries('/sys/class/net').some((name) => {
    const link = files.number(`/sys/class/net/${name}/iflink`);
    return link !== undefined && link !== files.number(`/sys/class/net/${name}/ifindex`);
  });
  if (!isPaired) return [];
  const text = 'the container has a network of its own, which announcements do not leave';
  return [warning(text, `${containerAdvice}, or give players the address`)];
}

/** All of them: a server also answers from those that it does not publish, such as fe80::. */
function addressesOf(interfaces: NetworkInterfaces): ReadonlySet<string> {
  return new Set(Object.values(interfaces).flatMap((infos = []) => infos.map((i) => i.address)));
}

function serverFindings({ opened, servers }: Survey, own: ReadonlySet<string>): readonly Finding[] {
  const findings = [...servers.values()].map(({ name, address }): Finding => {
    const bare = address.replace(/%.*$/, '');
    if (own.has(bare)) return note(`"${name}" is announced by this machine already`);
    const text = `another server, "${name}", answers on the network from ${bare}`;
    if (name !== instanceName) return note(text);
    return warning(
      `${text}; players without an address may take either`,
      'stop the other server, or give the players the address of this one',
    );
  });
  const usable =
    opened.length > 0 ? [ok(`the server can be announced on ${opened.join(', ')}`)] : [];
  return [...usable, ...findings];
}
