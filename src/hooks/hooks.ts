import type { ChildPlaces } from '../base/children/child-places.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { playedStreamId, type Registry } from '../clients/registry.ts';
import { type HookLine, parseHookLine } from '../config/hook-line.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import { type HookEvent, runHook } from './run-hook.ts';

/** Programs and addresses at one time; others wait. */
const maxHooksAtOnce = 4;
/** Many changes come together, as when the network is back. */
const reviewMs = 20;

interface HookSettings {
  readonly onPlaying: readonly string[];
  readonly onIdle: readonly string[];
  /** Seconds. */
  readonly idleAfter: number;
  readonly timeout: number;
}

interface HooksOptions {
  readonly registry: Pick<Registry, 'groups'>;
  readonly streams: Pick<StreamDirectory, 'channels'>;
  readonly children: ChildPlaces;
  readonly logger: Logger;
  readonly settings: () => HookSettings;
}

/** A stream or a group, and what is known of it. */
interface Subject extends Omit<HookEvent, 'event'> {
  /** Absent before the first time. */
  told?: HookEvent['event'];
  idleTimer?: NodeJS.Timeout;
  /** For how long it must have been silent, as was said when it fell silent; absent while it plays. */
  waitMs?: number | undefined;
  isRunning: boolean;
  /** What waits for a place, or for the end of what runs: the newest alone. */
  waiting?: HookEvent | undefined;
}

/**
 * Tells programs and addresses when a stream or a group begins to play, and when it has been silent
 * for a while, so that they can switch amplifiers.
 *
 * For one stream or group one thing happens after the other, and of several that wait the last one.
 */
export class Hooks {
  readonly #options: HooksOptions;
  readonly #subjects = new Map<string, Subject>();
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #review: NodeJS.Timeout | undefined;

  constructor(options: HooksOptions) {
    this.#options = options;
  }

  /** Something about streams, groups or settings is different: it is looked at soon. */
  review(): void {
    if (this.#closing.signal.aborted) return;
    this.#review ??= setTimeout(() => {
      this.#review = undefined;
      this.#look();
    }, reviewMs);
  }

  /** Resolves when nothing runs any more; nothing is told of the end. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#review);
    for (const { idleTimer } of this.#subjects.values()) clearTimeout(idleTimer);
    this.#subjects.clear();
    await Promise.all(this.#running);
  }

  #look(): void {
    const { registry, streams } = this.#options;
    const gone = new Set(this.#subjects.keys());
    const isPlaying = (id: string | undefined) =>
      id !== undefined && streams.channels.get(id)?.stream.state === 'playing';
    for (const id of streams.channels.keys()) {
      this.#see({ kind: 'stream', id, name: id, stream: id }, isPlaying(id), gone);
    }
    for (const group of registry.groups.values()) {
      if (!group.clients.some(({ isConnected }) => isConnected)) continue;
      const { id, name } = group;
      const stream = playedStreamId(group) ?? '';
      this.#see({ kind: 'group', id, name, stream }, isPlaying(stream), gone);
    }
    for (const key of gone) {
      const subject = this.#subjects.get(key)!;
      if (this.#isDone(subject)) this.#subjects.delete(key);
      else this.#becomeIdle(key, subject);
    }
  }

  #see(seen: Omit<HookEvent, 'event'>, isPlaying: boolean, gone: Set<string>): void {
    const key = `${seen.kind}:${seen.id}`;
    gone.delete(key);
    const subject = this.#subjects.get(key) ?? { ...seen, isRunning: false };
    Object.assign(subject, seen);
    this.#subjects.set(key, subject);
    if (!isPlaying) {
      this.#becomeIdle(key, subject);
      return;
    }
    clearTimeout(subject.idleTimer);
    subject.waitMs = undefined;
    if (subject.told !== 'playing') this.#tell(key, subject, 'playing');
  }

  #becomeIdle(key: string, subject: Subject): void {
    const waitMs = this.#options.settings().idleAfter * 1000;
    if (subject.told === 'idle' || subject.waitMs === waitMs) return;
    clearTimeout(subject.idleTimer);
    subject.waitMs = waitMs;
    subject.idleTimer = setTimeout(() => {
      subject.waitMs = undefined;
      this.#tell(key, subject, 'idle');
    }, waitMs);
  }

  #tell(key: string, subject: Subject, event: HookEvent['event']): void {
    const { kind, id, name, stream } = subject;
    subject.told = event;
    subject.waiting = { event, kind, id, name, stream };
    // Behind those that wait already.
    this.#subjects.delete(key);
    this.#subjects.set(key, subject);
    this.#startNext();
  }

  #startNext(): void {
    for (const [key, subject] of this.#subjects) {
      if (this.#running.size >= maxHooksAtOnce) return;
      if (subject.waiting && !subject.isRunning) this.#start(key, subject, subject.waiting);
    }
  }

  #start(key: string, subject: Subject, event: HookEvent): void {
    subject.waiting = undefined;
    subject.isRunning = true;
    const run = this.#runAll(event).then(() => {
      subject.isRunning = false;
      this.#running.delete(run);
      if (this.#isDone(subject)) this.#subjects.delete(key);
      this.#startNext();
    });
    this.#running.add(run);
  }

  /** It is gone, and nothing is to be told of it any more. */
  #isDone({ kind, id, told, waiting, isRunning }: Subject): boolean {
    const { registry, streams } = this.#options;
    if (told !== 'idle' || waiting || isRunning) return false;
    return kind === 'stream' ? !streams.channels.has(id) : !registry.groups.has(id);
  }

  async #runAll(event: HookEvent): Promise<void> {
    const { onPlaying, onIdle } = this.#options.settings();
    for (const text of event.event === 'playing' ? onPlaying : onIdle) {
      const line = parseHookLine(text);
      if (line && isMeant(line, event) && !this.#closing.signal.aborted) {
        await this.#run(line.target, event);
      }
    }
  }

  async #run(target: HookLine['target'], event: HookEvent): Promise<void> {
    const logger = this.#options.logger.tagged('Hooks');
    const { kind, name, id } = event;
    const facts = { event: event.event, [kind]: name || id, hook: nameOf(target) };
    let giveBack: (() => void) | undefined;
    try {
      if (target.kind === 'program') giveBack = this.#options.children.take();
      const timeoutMs = this.#options.settings().timeout * 1000;
      const { signal } = this.#closing;
      const reason = await runHook(target, event, { timeoutMs, signal });
      if (reason === undefined) logger.info('hook has run', facts);
      else if (!signal.aborted) logger.warn('hook has failed', { ...facts, reason });
    } catch (error) {
      logger.warn('hook has failed', { ...facts, reason: messageOf(error) });
    } finally {
      giveBack?.();
    }
  }
}

function isMeant({ filter }: HookLine, { kind, id, name }: HookEvent): boolean {
  if (!filter) return true;
  return filter.kind === kind && (filter.name === '*' || [id, name].includes(filter.name));
}

/** Without arguments, user, path and query, which may be secrets. */
function nameOf(target: HookLine['target']): string {
  return target.kind === 'program' ? target.path : new URL(target.url).origin;
}
