import type { DnsName } from './dns-name.ts';

// Types of records. Source: RFC 1035, 3.2.2; RFC 2782; RFC 3596.
export const typeA = 1;
export const typePtr = 12;
export const typeTxt = 16;
export const typeAaaa = 28;
export const typeSrv = 33;
export const typeAny = 255;

export interface DnsQuestion {
  readonly name: DnsName;
  readonly type: number;
}

export interface DnsRecord {
  readonly name: DnsName;
  readonly type: number;
  readonly ttlSeconds: number;
  /** Nobody else has records of this name and type. Source: RFC 6762, 10.2. */
  readonly isUnique: boolean;
  /** Names in it have no pointers, so that equal data have equal bytes. */
  readonly data: Buffer;
}

/** The parts that multicast DNS uses, of class Internet only. */
export interface DnsMessage {
  readonly id: number;
  readonly isResponse: boolean;
  readonly questions: readonly DnsQuestion[];
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

export const headerBytes = 12;
export const classInternet = 1;
export const classAny = 255;
/** Of a question: answer me alone; of a record: it is unique. */
export const topBitOfClass = 0x8000;
export const responseFlag = 0x8000;
/** Set in responses of multicast DNS. Source: RFC 6762, 18.4. */
export const authoritativeFlag = 0x0400;
/** Kind of request and error; nothing but 0 is for us. Source: RFC 6762, 18.3 and 18.11. */
export const opcodeAndErrorFlags = 0x780f;
/** Two bytes that begin with these bits point to a name that stands further in front. */
export const pointerBits = 0xc0;
