import { randomBytes } from 'node:crypto';
import { hostname, networkInterfaces } from 'node:os';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { within } from '../base/time/within.ts';
import { LinkResponder } from './link-responder.ts';
import { multicastPort } from './link-socket.ts';
import { type LocalLink, localLinks, type NetworkInterfaces } from './local-links.ts';
import { ServiceRecords } from './service-records.ts';
import type { Service } from './services.ts';

export interface AnnouncerOptions {
  readonly services: readonly Service[];
  /** What people see; a number is added when another server on the network has that name. */
  readonly name: string;
  readonly logger: Logger;
  /** For tests. */
  readonly port?: number;
  readonly interfaces?: () => NetworkInterfaces;
  readonly rescanMs?: number;
}

// Source: RFC 6762, 8.1.
const probeCount = 3;
const probeIntervalMs = 250;
// Source: RFC 6762, 8.3.
const announcementCount = 2;
const announcementIntervalMs = 1000;
/** A peer that takes away name after name is not asked at full speed. Source: RFC 6762, 8.1. */
const maxQuickRenames = 10;
const slowRenameMs = 10_000;
/** Between two looks at the networks of the machine: the system tells of no changes. */
const usualRescanMs = 15_000;
/** Goodbyes that do not leave must not keep the server from stopping. */
const maxGoodbyeMs = 500;
/** About ten minutes of scans. */
const maxScansBetweenTries = 40;
/** What a name may be long with the part that makes it unique. */
const maxHostCharacters = 48;

/**
 * Announces services by multicast DNS on every network of the machine, under one name.
 *
 * Failure: none; where the network refuses there is one warning, and later another try.
 * Source: RFC 6762 and RFC 6763; protocol reference, 14.
 */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #log: Logger;
  /** Unlike the name of the machine, no other program announces it. */
  readonly #host = uniqueHost();
  readonly #links = new Map<string, LinkResponder>();
  /** Networks that refused, tried again ever more seldom: each try disturbs the others. */
  readonly #refusals = new Map<string, { count: number; scansToWait: number }>();
  #phase: 'asking' | 'announced' | 'closed' = 'asking';
  #nameNumber = 1;
  /** Others may remember our services by this name. */
  #announcedName: string | undefined;
  #hasWarned = false;
  #stepTimer: NodeJS.Timeout | undefined;
  #rescanTimer: NodeJS.Timeout | undefined;
  #rescan: Promise<void> = Promise.resolve();

  /** Resolves before anything is announced: finding out whether the name is free takes a second. */
  static async start(options: AnnouncerOptions): Promise<Announcer> {
    const announcer = new Announcer(options);
    if (options.services.length === 0) return announcer;
    announcer.#rescan = announcer.#scan();
    await announcer.#rescan;
    announcer.#ask(Math.random() * probeIntervalMs);
    return announcer;
  }

  private constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#log = options.logger.tagged('mDNS');
  }

  /** Says goodbye, as far as the networks take it soon. */
  async close(): Promise<void> {
    this.#phase = 'closed';
    clearTimeout(this.#stepTimer);
    clearTimeout(this.#rescanTimer);
    await this.#rescan;
    const links = [...this.#links.values()];
    if (this.#announcedName === this.#name) {
      const goodbyes = links.map((link) => link.sayGoodbye());
      await within(Promise.all(goodbyes), maxGoodbyeMs);
    }
    for (const link of links) link.close();
    this.#links.clear();
  }

  get #name(): string {
    const { name } = this.#options;
    return this.#nameNumber === 1 ? name : `${name} #${this.#nameNumber}`;
  }

  /** Opens what is new and closes what is gone; what failed is tried again. */
  async #scan(): Promise<void> {
    const found = new Map(this.#findLinks().map((link) => [link.key, link]));
    for (const [key, responder] of this.#links) {
      if (!found.has(key)) this.#drop(key, responder);
    }
    // What comes back has another chance.
    for (const key of this.#refusals.keys()) if (!found.has(key)) this.#refusals.delete(key);
    const missing = [...found.values()].filter(({ key }) => this.#mayTry(key));
    const opened = await Promise.all(missing.map((link) => this.#open(link)));
    // On a network that is new, another responder may have the name.
    if (this.#phase === 'announced' && opened.includes(true)) this.#askAnew(0);
    this.#scheduleScan();
  }

  /** Once per scan. */
  #mayTry(key: string): boolean {
    const refusal = this.#refusals.get(key);
    if (refusal) refusal.scansToWait -= 1;
    return !this.#links.has(key) && (refusal?.scansToWait ?? 0) <= 0;
  }

  #scheduleScan(): void {
    if (this.#phase === 'closed') return;
    const { rescanMs = usualRescanMs } = this.#options;
    this.#rescanTimer = setTimeout(() => {
      this.#rescan = this.#scan();
    }, rescanMs);
    this.#rescanTimer.unref();
  }

  #findLinks(): readonly LocalLink[] {
    const { interfaces = networkInterfaces } = this.#options;
    try {
      return localLinks(interfaces());
    } catch (error) {
      this.#warn('all', error);
      return [];
    }
  }

  async #open(link: LocalLink): Promise<boolean> {
    const { key } = link;
    const { port = multicastPort } = this.#options;
    try {
      const responder = await LinkResponder.open({
        link,
        port,
        records: this.#recordsFor(link),
        isAnnounced: () => this.#phase === 'announced',
        onConflict: () => this.#rename(),
        onError: (error) => {
          this.#drop(key, responder);
          this.#refused(link, error);
        },
      });
      // The name may have changed meanwhile.
      responder.setRecords(this.#recordsFor(link));
      if (this.#phase === 'closed') responder.close();
      else this.#links.set(key, responder);
      return true;
    } catch (error) {
      this.#refused(link, error);
      return false;
    }
  }

  #drop(key: string, responder: LinkResponder): void {
    responder.close();
    if (this.#links.get(key) === responder) this.#links.delete(key);
  }

  #recordsFor({ published }: LocalLink): ServiceRecords {
    const { services } = this.#options;
    return new ServiceRecords({
      services,
      name: this.#name,
      host: this.#host,
      addresses: published,
    });
  }

  #askAnew(delayMs: number): void {
    this.#phase = 'asking';
    this.#ask(delayMs);
  }

  #ask(delayMs: number, count = probeCount): void {
    this.#step(delayMs, () => {
      if (count === 0) {
        this.#phase = 'announced';
        this.#announce(announcementCount);
        return;
      }
      for (const link of this.#links.values()) link.probe();
      this.#ask(probeIntervalMs, count - 1);
    });
  }

  #announce(count: number): void {
    if (this.#links.size === 0) return;
    if (this.#announcedName !== this.#name) {
      this.#announcedName = this.#name;
      this.#log.info('services are announced', { name: this.#name });
    }
    for (const link of this.#links.values()) link.announce();
    if (count > 1) this.#step(announcementIntervalMs, () => this.#announce(count - 1));
  }

  #step(delayMs: number, action: () => void): void {
    clearTimeout(this.#stepTimer);
    this.#stepTimer = setTimeout(action, delayMs);
    this.#stepTimer.unref();
  }

  #rename(): void {
    if (this.#phase === 'closed') return;
    const taken = this.#name;
    this.#nameNumber += 1;
    this.#log.info('the name is taken', { name: taken, next: this.#name });
    for (const responder of this.#links.values()) {
      responder.setRecords(this.#recordsFor(responder.link));
    }
    this.#askAnew(this.#nameNumber > maxQuickRenames ? slowRenameMs : probeIntervalMs);
  }

  #refused({ key, interfaceName }: LocalLink, error: unknown): void {
    const count = (this.#refusals.get(key)?.count ?? 0) + 1;
    const scansToWait = Math.min(2 ** (count - 1), maxScansBetweenTries);
    this.#refusals.set(key, { count, scansToWait });
    this.#warn(interfaceName, error);
  }

  /** The first fault is a warning; where one network refuses, others will go on refusing. */
  #warn(interfaceName: string, error: unknown): void {
    const phrase = 'services cannot be announced on a network';
    const fields = { interface: interfaceName, reason: messageOf(error) };
    if (this.#hasWarned) this.#log.debug(phrase, fields);
    else this.#log.warn(phrase, fields);
    this.#hasWarned = true;
  }
}

function uniqueHost(): string {
  const [machine = ''] = hostname().split('.');
  const readable = machine.replace(/[^A-Za-z0-9-]/g, '').slice(0, maxHostCharacters);
  return `${readable || 'zerocast'}-${randomBytes(3).toString('hex')}`;
}
