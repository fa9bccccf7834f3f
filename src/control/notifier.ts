import type { ClientRecord } from '../clients/client-record.ts';
import type { Change, Requester } from '../streams/change.ts';
import type { StreamChannel } from '../streams/stream-channel.ts';
import type { ControlMessage } from './control-peer.ts';
import {
  notification,
  notificationOf,
  permissionsFor,
  serverUpdate,
  statusPermissions,
} from './notifications.ts';
import { PendingUpdate } from './pending-update.ts';
import type { Interest } from './rpc.ts';
import type { StatusTree } from './status-tree.ts';
import { isListed } from './stream-status.ts';
import { type StreamObserver, StreamUpdates } from './stream-updates.ts';
import { Throttle } from './throttle.ts';

/** The least time between two messages of one kind. */
export interface NotifierIntervals {
  /** A complete status is large: it is sent no more often while clients come and go. */
  readonly statusMs: number;
  /**
   * About what one stream does, and about its properties: looping files and bursty sources toggle
   * several times a second, and some control scripts tell each step of the position.
   */
  readonly streamMs: number;
  /** About the volume of one player, which tells of its own mixer as often as it likes. */
  readonly volumeMs: number;
}

/** A controller with more bytes than this to read gets its next complete status after those. */
export const maxUnreadBeforeStatus = 64 * 1024;

/** Groups whose streams change at one time; more than that are told of by one complete status. */
export const maxSingleMoves = 50;

const usualIntervals: NotifierIntervals = { statusMs: 300, streamMs: 250, volumeMs: 100 };

/** A controller to be told; as a `Requester` it is not told what it has caused itself. */
export interface NotificationReceiver extends StreamObserver {
  /** Whether it may be told anything. */
  readonly isListening: boolean;
  /** Kinds of notifications that it knows beyond the usual ones. */
  readonly interests: ReadonlySet<Interest>;
  /** What it may ask for: it is told nothing else. */
  permits(permission: string): boolean;
  /** What it has not taken yet. */
  readonly queuedBytes: number;
  /** Whether a complete status is a part of that. */
  readonly hasUnreadStatus: boolean;
  send(message: ControlMessage): void;
}

/** A notification for those who have shown that they know its kind. */
export interface SpecialNotification {
  readonly interest: Interest;
  /** Who may not call this is not told either. */
  readonly permission: string;
  readonly method: string;
  readonly params: object;
}

interface NotifierOptions {
  readonly status: StatusTree;
  readonly receivers: Iterable<NotificationReceiver>;
  /** Other intervals than the usual ones. */
  readonly intervals?: Partial<NotifierIntervals> | undefined;
}

/**
 * Tells every controller that listens what has changed.
 *
 * What is new, gone or moved is told by the complete status, all else by a message of its own. No
 * message is about something that its receiver has not been told of.
 *
 * Complete statuses can be large. A receiver that is still busy with one is told nothing more until it
 * has read that, and then how everything is by then: it does not fall behind by what we say.
 */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #intervals: NotifierIntervals;
  readonly #updates: Throttle;
  readonly #streams = new Map<StreamChannel, StreamUpdates>();
  /** The properties of streams, and the volumes that players tell. */
  readonly #reports = new Map<StreamChannel | ClientRecord, Throttle>();
  /** Clients and streams that do not exist any more, while a change still speaks of them. */
  readonly #gone = new WeakSet<object>();
  /** Controllers that are owed a complete status, and will hear nothing else before. */
  readonly #behind = new Set<NotificationReceiver>();
  #pending: PendingUpdate | undefined;
  #moves = 0;
  #sent = 0;

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#intervals = { ...usualIntervals, ...options.intervals };
    this.#updates = new Throttle({
      intervalMs: this.#intervals.statusMs,
      isDeferred: true,
      act: () => this.#update(),
    });
  }

  /** Messages, counted once per receiver. */
  get sent(): number {
    return this.#sent;
  }

  /** Tells every controller but `by`, now or soon. */
  announce(change: Change, by?: Requester): void {
    if (isStructural(change)) this.#announceStructure(change, by);
    else if (!this.#isVisible(change)) return;
    else if (this.#isOneOfMany(change, by)) this.#announceStructure({ kind: 'groups' }, by);
    else if (change.kind === 'stream-state') this.#updatesOf(change.channel).changed(by);
    else if (change.kind === 'stream-properties') this.#reportOf(change.channel, change).ask();
    else if (change.kind === 'client-volume' && !by) this.#reportOf(change.client, change).ask();
    else this.#tell(change, (receiver) => receiver !== by);
  }

  /** Tells at once what only some controllers know how to read. */
  tell({ interest, permission, method, params }: SpecialNotification): void {
    this.#send(
      () => notification(method, params),
      (receiver) => receiver.interests.has(interest) && hears(receiver, [permission]),
    );
  }

  stop(): void {
    this.#updates.stop();
    for (const updates of this.#streams.values()) updates.stop();
    for (const report of this.#reports.values()) report.stop();
    this.#streams.clear();
    this.#reports.clear();
    this.#behind.clear();
  }

  /** A stream that goes or comes back may move thousands of groups in one turn of the event loop. */
  #isOneOfMany(change: Change, by: Requester | undefined): boolean {
    if (change.kind !== 'group-stream' || by) return false;
    if (this.#moves === 0) setImmediate(() => (this.#moves = 0));
    this.#moves += 1;
    return this.#moves > maxSingleMoves;
  }

  #announceStructure(change: Change, by: Requester | undefined): void {
    if (change.kind === 'client-added') this.#gone.delete(change.client);
    if (change.kind === 'client-removed') this.#forget(change.client);
    if (change.kind === 'stream-removed') this.#forgetStream(change.channel);
    // A controller that comes later asks for the status by itself.
    if (!this.#hasListeners()) return;
    this.#pending ??= new PendingUpdate();
    this.#pending.add(change, by);
    this.#updates.ask();
  }

  #forget(subject: StreamChannel | ClientRecord): void {
    this.#gone.add(subject);
    this.#reports.get(subject)?.stop();
    this.#reports.delete(subject);
  }

  #forgetStream(channel: StreamChannel): void {
    this.#forget(channel);
    this.#streams.get(channel)?.stop();
    this.#streams.delete(channel);
  }

  #updatesOf(channel: StreamChannel): StreamUpdates {
    let updates = this.#streams.get(channel);
    if (!updates) {
      updates = new StreamUpdates({
        state: () => channel.stream.state,
        intervalMs: this.#intervals.streamMs,
        tell: (isFor) => this.#tell({ kind: 'stream-state', channel }, isFor),
      });
      this.#streams.set(channel, updates);
    }
    return updates;
  }

  /** Each `change` of one subject is the same: what is told is how it is by then. */
  #reportOf(subject: StreamChannel | ClientRecord, change: Change): Throttle {
    let report = this.#reports.get(subject);
    if (!report) {
      const { streamMs, volumeMs } = this.#intervals;
      report = new Throttle({
        intervalMs: 'channel' in change ? streamMs : volumeMs,
        isDeferred: false,
        act: () => this.#tell(change, () => true),
      });
      this.#reports.set(subject, report);
    }
    return report;
  }

  #update(): void {
    const pending = this.#pending;
    this.#pending = undefined;
    // A controller that does not listen any more is owed nothing.
    for (const receiver of this.#behind) if (!hearsStatus(receiver)) this.#behind.delete(receiver);
    this.#send(
      () => serverUpdate(this.#options.status),
      (receiver) =>
        hearsStatus(receiver) &&
        (this.#behind.has(receiver) || pending?.isFor(receiver) === true) &&
        this.#isReady(receiver),
    );
    // Looks again after the usual interval.
    if (this.#behind.size > 0) this.#updates.ask();
  }

  /** Whether a receiver can take a complete status now; otherwise it is owed one. */
  #isReady(receiver: NotificationReceiver): boolean {
    const isReady = receiver.queuedBytes <= maxUnreadBeforeStatus;
    if (isReady) this.#behind.delete(receiver);
    else this.#behind.add(receiver);
    return isReady;
  }

  /** Whether a receiver is to hear nothing but the status that it is owed. */
  #isBehind(receiver: NotificationReceiver): boolean {
    if (!hearsStatus(receiver)) return false;
    if (this.#behind.has(receiver)) return true;
    const isBehind = receiver.hasUnreadStatus && receiver.queuedBytes > maxUnreadBeforeStatus;
    if (isBehind) {
      this.#behind.add(receiver);
      this.#updates.ask();
    }
    return isBehind;
  }

  #tell(change: Change, isFor: (receiver: NotificationReceiver) => boolean): void {
    // What the pending update is the first to tell of, it tells as it is by then.
    const first = this.#pending?.isFirstToTell(change) ? this.#pending : undefined;
    const isToldSoon = (receiver: NotificationReceiver) =>
      first?.isFor(receiver) === true && hearsStatus(receiver);
    const permissions = permissionsFor(change);
    this.#send(
      () => notificationOf(change, this.#options.status),
      (receiver) =>
        hears(receiver, permissions) &&
        isFor(receiver) &&
        !isToldSoon(receiver) &&
        !this.#isBehind(receiver),
    );
  }

  #hasListeners(): boolean {
    for (const receiver of this.#options.receivers) if (hearsStatus(receiver)) return true;
    return false;
  }

  #isVisible(change: Change): boolean {
    if ('client' in change) return !this.#gone.has(change.client);
    return !('channel' in change) || (isListed(change.channel) && !this.#gone.has(change.channel));
  }

  /** The message is not even made while no controller gets it. */
  #send(
    make: () => ControlMessage | undefined,
    isFor: (receiver: NotificationReceiver) => boolean,
  ): void {
    let message: ControlMessage | undefined;
    for (const receiver of this.#options.receivers) {
      if (!isFor(receiver)) continue;
      message ??= make();
      if (!message) return;
      receiver.send(message);
      this.#sent += 1;
    }
  }
}

function hears(receiver: NotificationReceiver, permissions: readonly string[]): boolean {
  return receiver.isListening && permissions.some((permission) => receiver.permits(permission));
}

/** What is new, gone or moved is told to these. */
function hearsStatus(receiver: NotificationReceiver): boolean {
  return hears(receiver, statusPermissions);
}

const structural: ReadonlySet<Change['kind']> = new Set([
  'client-added',
  'client-removed',
  'groups',
  'stream-added',
  'stream-removed',
  'stream-order',
]);

function isStructural({ kind }: Change): boolean {
  return structural.has(kind);
}
