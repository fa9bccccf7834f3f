import type { RemoteInfo } from 'node:dgram';
import {
  type DnsMessage,
  type DnsQuestion,
  type DnsRecord,
  decodeMessage,
  encodeMessage,
  encodeResponses,
  encodeWithAdditionals,
  nameKey,
  rankOf,
} from './dns.ts';
import { LinkSocket } from './link-socket.ts';
import type { LocalLink } from './local-links.ts';
import type { ServiceRecords } from './service-records.ts';

interface LinkResponderOptions {
  readonly link: LocalLink;
  readonly port: number;
  readonly records: ServiceRecords;
  /** Whether the names are ours and questions are answered, or still asked for. */
  readonly isAnnounced: () => boolean;
  /** Another responder has the name. */
  readonly onConflict: () => void;
  /** The network cannot be used now. */
  readonly onError: (error: Error) => void;
}

// Several that could answer must not do so at the same moment. Source: RFC 6762, 6.
const minDelayMs = 20;
const spreadDelayMs = 100;
/** A record is told to all at most this often. Source: RFC 6762, 6. */
const repeatMs = 1000;
/** For programs that ask from a port of their own and remember nothing. Source: RFC 6762, 6.7. */
const ttlOfDirectAnswersSeconds = 10;

/** Asks for names, announces them and answers questions about them on one network. */
export class LinkResponder {
  readonly #options: LinkResponderOptions;
  #socket: LinkSocket | undefined;
  #records: ServiceRecords;
  /** What waits to be told to all; a part of the records. */
  #pending = new Set<DnsRecord>();
  #toldAtMs = new Map<DnsRecord, number>();
  #timer: NodeJS.Timeout | undefined;

  /** Failure: rejects with the error of the system. */
  static async open(options: LinkResponderOptions): Promise<LinkResponder> {
    const responder = new LinkResponder(options);
    const { link, port, onError } = options;
    const onMessage = (bytes: Buffer, from: RemoteInfo) => responder.#receive(bytes, from);
    responder.#socket = await LinkSocket.open({ link, port, onMessage, onError });
    return responder;
  }

  private constructor(options: LinkResponderOptions) {
    this.#options = options;
    this.#records = options.records;
  }

  get link(): LocalLink {
    return this.#options.link;
  }

  /** What is told from now on. */
  setRecords(records: ServiceRecords): void {
    this.#records = records;
    this.#forget();
  }

  /** Asks whether another responder has the names. */
  probe(): void {
    const { probes, claims } = this.#records;
    const claimed = claims.map((record) => ({ ...record, flush: false }));
    this.#sendAll([encodeMessage({ questions: probes, authorities: claimed })]);
  }

  announce(): void {
    this.#tell(this.#records.all);
  }

  /** Resolves when the datagrams have left. */
  async sayGoodbye(): Promise<void> {
    this.#forget();
    const messages = encodeResponses(this.#records.goodbyes);
    await Promise.all(messages.map((bytes) => this.#socket?.send(bytes)));
  }

  close(): void {
    this.#forget();
    this.#socket?.close();
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pending = new Set();
    this.#toldAtMs = new Map();
  }

  #receive(bytes: Buffer, from: RemoteInfo): void {
    if (!this.#options.link.isNeighbour(from.address)) return;
    const message = decodeMessage(bytes);
    if (!message) return;
    if (message.isResponse) {
      // Source: RFC 6762, 6: others did not come by the port that only a responder may use.
      if (from.port === this.#options.port) this.#readResponse(message);
    } else if (this.#options.isAnnounced()) {
      this.#answer(message, from);
    } else if (this.#records.losesTo(message.authorities)) {
      this.#options.onConflict();
    }
  }

  #readResponse({ answers, additionals }: DnsMessage): void {
    const isContradicted = [...answers, ...additionals].some((record) =>
      this.#records.isContradictedBy(record),
    );
    if (isContradicted) this.#options.onConflict();
  }

  #answer(query: DnsMessage, from: RemoteInfo): void {
    const records = query.questions.flatMap((question) => this.#records.answersTo(question));
    const answers = [...new Set(records)].filter((record) => !isKnown(record, query.answers));
    if (answers.length === 0) return;
    if (from.port !== this.#options.port) this.#answerDirectly(query, answers, from);
    // A responder that asks for a taken name must know before it takes the name.
    else if (query.authorities.length > 0) this.#tell(answers);
    else this.#tellSoon(answers);
  }

  /** To a program that knows ordinary DNS only. */
  #answerDirectly(query: DnsMessage, answers: readonly DnsRecord[], from: RemoteInfo): void {
    const bytes = encodeWithAdditionals({
      id: query.id,
      isResponse: true,
      questions: query.questions.filter((question) => this.#knows(question)),
      answers: answers.map(asDirectAnswer),
      additionals: this.#records.additionalsTo(answers).map(asDirectAnswer),
    });
    void this.#socket?.send(bytes, from);
  }

  #knows(question: DnsQuestion): boolean {
    return this.#records.answersTo(question).length > 0;
  }

  #tellSoon(answers: readonly DnsRecord[]): void {
    for (const record of answers) this.#pending.add(record);
    this.#timer ??= setTimeout(() => this.#tellDue(), minDelayMs + Math.random() * spreadDelayMs);
  }

  /** What was told a moment ago waits: a querier may have asked after that. */
  #tellDue(): void {
    const earliestMs = performance.now() - repeatMs;
    const waitMs = (record: DnsRecord) => (this.#toldAtMs.get(record) ?? earliestMs) - earliestMs;
    const due = [...this.#pending].filter((record) => waitMs(record) <= 0);
    for (const record of due) this.#pending.delete(record);
    this.#tell([...due, ...this.#records.additionalsTo(due)]);
    this.#timer = undefined;
    if (this.#pending.size === 0) return;
    const nextMs = Math.min(...[...this.#pending].map(waitMs));
    this.#timer = setTimeout(() => this.#tellDue(), nextMs + minDelayMs);
  }

  #tell(records: readonly DnsRecord[]): void {
    const nowMs = performance.now();
    for (const record of records) this.#toldAtMs.set(record, nowMs);
    this.#sendAll(encodeResponses(records));
  }

  #sendAll(messages: readonly Buffer[]): void {
    for (const bytes of messages) void this.#socket?.send(bytes);
  }
}

/** A querier says what it knows, and for how long. Source: RFC 6762, 7.1. */
function isKnown(ours: DnsRecord, known: readonly DnsRecord[]): boolean {
  return known.some(
    (record) =>
      record.type === ours.type &&
      record.ttl * 2 >= ours.ttl &&
      nameKey(record.name) === nameKey(ours.name) &&
      rankOf(record).equals(rankOf(ours)),
  );
}

function asDirectAnswer(record: DnsRecord): DnsRecord {
  return { ...record, flush: false, ttl: Math.min(record.ttl, ttlOfDirectAnswersSeconds) };
}
