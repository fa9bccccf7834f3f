import { isIPv6 } from 'node:net';
import { type DnsQuestion, type DnsRecord, nameKey, rankOf } from './dns.ts';
import type { Service } from './services.ts';

// Source: RFC 6762, 10.
const ttl = 4500;
const ttlOfHost = 120;
/** Lists all types of services. Source: RFC 6763, 9. */
const typesName = '_services._dns-sd._udp.local';

/** Everything that is said about the services on one network. Source: RFC 6763. */
export class ServiceRecords {
  /** What all the others lead to. */
  readonly all: readonly DnsRecord[];
  /** What only one server may have; told while it is asked whether the names are free. */
  readonly claims: readonly DnsRecord[];
  readonly #byName = new Map<string, DnsRecord[]>();

  constructor({
    services,
    name,
    host,
    addresses,
  }: {
    readonly services: readonly Service[];
    /** What people see; every service has this name. Shape: a single label without dots. */
    readonly name: string;
    /** Shape: a single label. */
    readonly host: string;
    /** Where the host can be reached from where these records are told. */
    readonly addresses: readonly string[];
  }) {
    const target = `${host}.local`;
    const perService = services.map((service) => recordsOf(service, name, target));
    this.all = [...perService.flat(), ...addresses.map((address) => addressOf(target, address))];
    this.claims = this.all.filter(({ type }) => type === 'SRV');
    for (const record of this.all) {
      this.#byName.set(nameKey(record.name), [...this.#named(record.name), record]);
    }
  }

  /** The questions whether another responder has the names. */
  get probes(): readonly DnsQuestion[] {
    return this.claims.map(({ name }) => ({ name, type: 'ANY' }));
  }

  /** What takes the services out of the memory of others; addresses may have other users. */
  get goodbyes(): readonly DnsRecord[] {
    return this.all
      .filter((record) => record.name !== typesName && !isAddress(record))
      .map((record) => ({ ...record, ttl: 0 }));
  }

  answersTo({ name, type }: DnsQuestion): readonly DnsRecord[] {
    return this.#named(name).filter((record) => type === 'ANY' || record.type === type);
  }

  /** What a querier with these answers would ask next. */
  additionalsTo(answers: readonly DnsRecord[]): readonly DnsRecord[] {
    const wanted = answers
      .flatMap((record) => (record.type === 'PTR' ? this.#named(record.data) : []))
      .filter(({ type }) => type !== 'PTR');
    const leadsToHost = [...answers, ...wanted].some(({ type }) => type === 'SRV');
    if (leadsToHost) wanted.push(...this.all.filter(isAddress));
    const told = new Set(answers);
    return [...new Set(wanted)].filter((record) => !told.has(record));
  }

  /** Whether another responder claims a name that must be ours alone. */
  isContradictedBy(theirs: DnsRecord): boolean {
    if (theirs.type !== 'SRV' || theirs.ttl === 0) return false;
    const ours = this.#named(theirs.name).find(({ type }) => type === 'SRV');
    return ours !== undefined && !rankOf(ours).equals(rankOf(theirs));
  }

  /** Whether a responder that asks for the same names at the same time has the better right. */
  losesTo(claims: readonly DnsRecord[]): boolean {
    return this.claims.some((ours) => {
      const [first, ...others] = claims
        .filter(({ name }) => nameKey(name) === nameKey(ours.name))
        .map(rankOf)
        .sort(Buffer.compare);
      // The later in order wins, and with equal records the one with more. Source: RFC 6762, 8.2.
      return first !== undefined && (rankOf(ours).compare(first) || -others.length) < 0;
    });
  }

  #named(name: string): readonly DnsRecord[] {
    return this.#byName.get(nameKey(name)) ?? [];
  }
}

/** The text must be there even with nothing to say. Source: RFC 6763, 6.1. */
function recordsOf({ type, port }: Service, name: string, target: string): DnsRecord[] {
  const typeName = `${type}.local`;
  const instance = `${name}.${typeName}`;
  return [
    { name: typesName, type: 'PTR', ttl, data: typeName },
    { name: typeName, type: 'PTR', ttl, data: instance },
    { name: instance, type: 'SRV', ttl: ttlOfHost, flush: true, data: { port, target } },
    { name: instance, type: 'TXT', ttl, flush: true, data: '' },
  ];
}

function addressOf(name: string, address: string): DnsRecord {
  const type = isIPv6(address) ? 'AAAA' : 'A';
  return { name, type, ttl: ttlOfHost, flush: true, data: address };
}

function isAddress({ type }: DnsRecord): boolean {
  return type === 'A' || type === 'AAAA';
}
