import { isIPv6 } from 'node:net';
import {
  type DnsQuestion,
  type DnsRecord,
  typeA,
  typeAaaa,
  typeAny,
  typePtr,
  typeSrv,
  typeTxt,
} from './dns-message.ts';
import { type DnsName, labelOf, nameBytes, nameKey } from './dns-name.ts';
import type { Service } from './services.ts';

// Source: RFC 6762, 10.
const ttlSeconds = 4500;
const ttlOfHostSeconds = 120;
/** Lists all types of services. Source: RFC 6763, 9. */
const typesName = '_services._dns-sd._udp.local';

export interface ServiceRecordsOptions {
  readonly services: readonly Service[];
  /** What people see; every service has this name. */
  readonly name: string;
  /** Shape: a single label. */
  readonly host: string;
  /** Where the host can be reached from where these records are told. */
  readonly addresses: readonly string[];
}

/** Everything that is said about the services on one network. Source: RFC 6763. */
export class ServiceRecords {
  /** What all the others lead to. */
  readonly all: readonly DnsRecord[];
  /** What only one server may have; told while it is asked whether the names are free. */
  readonly claims: readonly DnsRecord[];
  readonly #byName = new Map<string, DnsRecord[]>();

  constructor({ services, name, host, addresses }: ServiceRecordsOptions) {
    const hostName = `${host}.local`;
    const perService = services.map(({ type, port }) => {
      const typeName = `${type}.local`;
      const instance = `${labelOf(name)}.${typeName}`;
      return [
        pointer(typesName, typeName),
        pointer(typeName, instance),
        serviceAt({ instance, port, hostName }),
        emptyText(instance),
      ];
    });
    this.all = [...perService.flat(), ...addresses.map((address) => addressOf(hostName, address))];
    this.claims = this.all.filter(({ type }) => type === typeSrv);
    for (const record of this.all) {
      const key = nameKey(record.name);
      const same = this.#byName.get(key);
      if (same) same.push(record);
      else this.#byName.set(key, [record]);
    }
  }

  /** The questions whether somebody has the names already. */
  get probes(): readonly DnsQuestion[] {
    return this.claims.map(({ name }) => ({ name, type: typeAny }));
  }

  /** What takes the services out of the memory of others; addresses may have other users. */
  get goodbyes(): readonly DnsRecord[] {
    return this.all
      .filter(({ name, type }) => name !== typesName && type !== typeA && type !== typeAaaa)
      .map((record) => ({ ...record, ttlSeconds: 0 }));
  }

  answersTo({ name, type }: DnsQuestion): readonly DnsRecord[] {
    const named = this.#byName.get(nameKey(name)) ?? [];
    return type === typeAny ? named : named.filter((record) => record.type === type);
  }

  /** What whoever gets these answers would ask next. */
  additionalsTo(answers: readonly DnsRecord[]): readonly DnsRecord[] {
    const told = new Set(answers);
    const wanted = new Set<DnsRecord>();
    for (const { type, data } of answers) {
      if (type !== typePtr) continue;
      for (const record of this.claims) {
        if (!nameBytes(record.name).equals(data)) continue;
        for (const one of this.#byName.get(nameKey(record.name)) ?? []) wanted.add(one);
      }
    }
    const leadsToHost = [...answers, ...wanted].some(({ type }) => type === typeSrv);
    if (leadsToHost) for (const record of this.all) if (isAddress(record)) wanted.add(record);
    return [...wanted].filter((record) => !told.has(record));
  }

  /** Whether somebody says otherwise about a name that must be ours alone. */
  isContradictedBy(theirs: DnsRecord): boolean {
    if (theirs.type !== typeSrv || theirs.ttlSeconds === 0) return false;
    const ours = this.#claimOf(theirs.name);
    return ours !== undefined && !ours.data.equals(theirs.data);
  }

  /** Whether somebody who asks for the same names at the same time has the better right. */
  losesTo(claims: readonly DnsRecord[]): boolean {
    return this.claims.some((ours) => {
      const theirs = claims.filter(({ name }) => nameKey(name) === nameKey(ours.name));
      return theirs.length > 0 && compareClaims([ours], theirs) < 0;
    });
  }

  #claimOf(name: DnsName): DnsRecord | undefined {
    return this.#byName.get(nameKey(name))?.find(({ type }) => type === typeSrv);
  }
}

/** Who is later in order wins. Source: RFC 6762, 8.2. */
function compareClaims(ours: readonly DnsRecord[], theirs: readonly DnsRecord[]): number {
  const inOrder = [...theirs].sort(compareRecords);
  for (const [index, record] of ours.entries()) {
    const other = inOrder[index];
    if (!other) return 1;
    const order = compareRecords(record, other);
    if (order !== 0) return order;
  }
  return ours.length - inOrder.length;
}

function compareRecords(one: DnsRecord, other: DnsRecord): number {
  return one.type - other.type || one.data.compare(other.data);
}

function isAddress({ type }: DnsRecord): boolean {
  return type === typeA || type === typeAaaa;
}

function pointer(name: DnsName, target: DnsName): DnsRecord {
  return { name, type: typePtr, ttlSeconds, isUnique: false, data: nameBytes(target) };
}

interface Place {
  readonly instance: DnsName;
  readonly port: number;
  readonly hostName: DnsName;
}

/** Priority and weight are 0. Source: RFC 2782. */
function serviceAt({ instance, port, hostName }: Place): DnsRecord {
  const header = Buffer.alloc(6);
  header.writeUInt16BE(port, 4);
  const data = Buffer.concat([header, nameBytes(hostName)]);
  return { name: instance, type: typeSrv, ttlSeconds: ttlOfHostSeconds, isUnique: true, data };
}

/** Must be there even with nothing to say. Source: RFC 6763, 6.1. */
function emptyText(instance: DnsName): DnsRecord {
  return { name: instance, type: typeTxt, ttlSeconds, isUnique: true, data: Buffer.of(0) };
}

function addressOf(name: DnsName, address: string): DnsRecord {
  const [type, data] = isIPv6(address)
    ? [typeAaaa, ipv6Bytes(address)]
    : [typeA, Buffer.from(address.split('.').map(Number))];
  return { name, type, ttlSeconds: ttlOfHostSeconds, isUnique: true, data };
}

/** Fills the gap that `::` stands for. */
function ipv6Bytes(address: string): Buffer {
  const [front = [], back = []] = address.split('::').map(groupsOf);
  const bytes = Buffer.alloc(16);
  for (const [index, group] of front.entries()) bytes.writeUInt16BE(group, index * 2);
  for (const [index, group] of back.entries()) {
    bytes.writeUInt16BE(group, 16 - (back.length - index) * 2);
  }
  return bytes;
}

function groupsOf(half: string): number[] {
  return half === '' ? [] : half.split(':').map((group) => Number.parseInt(group, 16));
}
