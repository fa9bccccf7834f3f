import type { ClientRecord } from '../../src/clients/client-record.ts';
import type { ControlMessage } from '../../src/control/control-peer.ts';
import {
  type NotificationReceiver,
  Notifier,
  type NotifierIntervals,
} from '../../src/control/notifier.ts';
import type { Interest } from '../../src/control/rpc.ts';
import type { Change, Requester } from '../../src/streams/change.ts';
import type { StreamChannel } from '../../src/streams/stream-channel.ts';
import { RpcRig } from './rpc-rig.ts';
import { until } from './waiting.ts';

export const intervals: NotifierIntervals = { statusMs: 60, streamMs: 40, volumeMs: 20 };

interface Notification {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Somebody who keeps what it is told. */
export class Listener implements NotificationReceiver {
  readonly messages: ControlMessage[] = [];
  isListening = true;
  readonly interests = new Set<Interest>();
  /** Absent: everything. */
  permissions: readonly string[] | undefined;
  queuedBytes = 0;
  hasUnreadStatus = false;
  statusHeardMs = Number.NEGATIVE_INFINITY;

  get texts(): string[] {
    return this.messages.map(({ text }) => text);
  }

  get heard(): Notification[] {
    return this.texts.map((text) => JSON.parse(text));
  }

  get methods(): string[] {
    return this.heard.map(({ method }) => method);
  }

  /** The last complete status, as text. */
  get lastStatus(): string {
    return this.texts.findLast((text) => text.includes('"Server.OnUpdate"')) ?? '';
  }

  permits(permission: string): boolean {
    return this.permissions?.includes(permission) ?? true;
  }

  send(message: ControlMessage): void {
    if (message.tellsStreams) this.statusHeardMs = performance.now();
    this.messages.push(message);
  }
}

/** A notifier about real clients, groups and streams, and three who listen. */
export class NotifierRig {
  readonly rig = new RpcRig();
  readonly notifier: Notifier;
  readonly ann = new Listener();
  readonly bob = new Listener();
  readonly eve = new Listener();
  readonly all: Listener[];

  constructor() {
    this.all = [this.ann, this.bob, this.eve];
    this.notifier = new Notifier({
      status: this.rig.status,
      receivers: this.all,
      intervals,
    });
  }

  async stream(name: string, parameters = ''): Promise<StreamChannel> {
    await this.rig.stream(`pipe://FOLDER/${name}?name=${name}${parameters}`);
    const channel = this.rig.streams.channels.get(name);
    if (!channel) throw new Error(`no stream ${name}`);
    this.rig.changes.length = 0;
    return channel;
  }

  /** A client that everybody knows of. */
  known(id: string): ClientRecord {
    return this.rig.join(id);
  }

  /** A client that nobody has seen before. */
  joins(id: string): ClientRecord {
    const client = this.rig.join(id);
    this.announce({ kind: 'client-added', client });
    return client;
  }

  announce(change: Change, by?: Requester): void {
    this.rig.status.invalidate(change);
    this.notifier.announce(change, by);
  }

  /** Announces what was done to the groups since the last time. */
  pass(): void {
    for (const { change, by } of this.rig.changes.splice(0)) this.announce(change, by);
  }

  /** Waits until the next complete status has been sent, and no later one can be owed. */
  async settle(): Promise<void> {
    const marker = new Listener();
    this.all.push(marker);
    this.announce({ kind: 'groups' });
    await until(() => marker.messages.length > 0);
    this.all.splice(this.all.indexOf(marker), 1);
  }

  async close(): Promise<void> {
    this.notifier.stop();
    await this.rig.close();
  }
}

/** Waits until `who` has been told `count` things. */
export function told(who: { readonly messages: readonly unknown[] }, count: number): Promise<void> {
  return until(() => who.messages.length >= count, `${count} notifications`);
}
