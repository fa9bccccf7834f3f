import { compatibleVersion } from '../base/version.ts';
import type { ClientRecord, GroupRecord } from '../clients/client-record.ts';
import { playedStreamId, type Registry } from '../clients/registry.ts';
import type { Change } from '../streams/change.ts';
import type { StreamChannel } from '../streams/stream-channel.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import { JsonText, jsonOf } from './json-text.ts';
import { isListed, propertiesJson, streamJson } from './stream-status.ts';

/** Facts about the machine, for display. */
export interface HostFacts {
  readonly arch: string;
  readonly name: string;
  readonly os: string;
}

/** The text of a client in front of and behind its `lastSeen`, which moves all the time. */
interface ClientTexts {
  readonly head: string;
  readonly tail: string;
}

/** The JSON of clients, groups, streams and server, kept as text. Source: protocol reference, 8.1. */
export class StatusTree {
  readonly #registry: Registry;
  readonly #streams: StreamDirectory;
  readonly #server: string;
  readonly #clientTexts = new WeakMap<ClientRecord, ClientTexts>();
  /** All of a group behind its clients. */
  readonly #groupTails = new WeakMap<GroupRecord, string>();
  readonly #streamTexts = new WeakMap<StreamChannel, string>();

  constructor({
    registry,
    streams,
    host,
  }: {
    readonly registry: Registry;
    readonly streams: StreamDirectory;
    readonly host: HostFacts;
  }) {
    this.#registry = registry;
    this.#streams = streams;
    this.#server = serverJson(host);
  }

  /** Forgets the texts that `change` made wrong; called before a controller is told of it. */
  invalidate(change: Change): void {
    if ('client' in change) this.#clientTexts.delete(change.client);
    if ('group' in change) this.#groupTails.delete(change.group);
    if ('channel' in change) this.#streamTexts.delete(change.channel);
    if (change.kind === 'groups') for (const one of change.details ?? []) this.invalidate(one);
  }

  client(client: ClientRecord): JsonText {
    return new JsonText(this.#clientText(client));
  }

  group(group: GroupRecord): JsonText {
    return new JsonText(this.#groupText(group));
  }

  stream(channel: StreamChannel): JsonText {
    return new JsonText(this.#streamText(channel));
  }

  /** What a stream plays and allows controllers to do. */
  properties(channel: StreamChannel): JsonText {
    return new JsonText(propertiesJson(channel.properties));
  }

  /** The complete status: groups, server and the streams that controllers see. */
  server(): JsonText {
    let groups = '';
    for (const group of this.#registry.groups.values()) {
      groups = joined(groups, this.#groupText(group));
    }
    let streams = '';
    for (const channel of this.#streams.channels.values()) {
      if (isListed(channel)) streams = joined(streams, this.#streamText(channel));
    }
    return new JsonText(`{"groups":[${groups}],"server":${this.#server},"streams":[${streams}]}`);
  }

  #clientText(client: ClientRecord): string {
    let texts = this.#clientTexts.get(client);
    if (!texts) {
      texts = clientTexts(client);
      this.#clientTexts.set(client, texts);
    }
    const us = Math.round(client.lastSeenMs * 1000);
    const sec = Math.floor(us / 1_000_000);
    return `${texts.head}${sec},"usec":${us % 1_000_000}${texts.tail}`;
  }

  #groupText(group: GroupRecord): string {
    let tail = this.#groupTails.get(group);
    if (tail === undefined) {
      tail = groupTail(group);
      this.#groupTails.set(group, tail);
    }
    let clients = '';
    for (const client of group.clients) {
      clients = joined(clients, this.#clientText(client));
    }
    return `{"clients":[${clients}${tail}`;
  }

  #streamText(channel: StreamChannel): string {
    let text = this.#streamTexts.get(channel);
    if (text === undefined) {
      text = streamJson(channel);
      this.#streamTexts.set(channel, text);
    }
    return text;
  }
}

/** `+` of long texts only notes what belongs together: that takes a tenth of the time of `join`. */
function joined(list: string, item: string): string {
  return list === '' ? item : `${list},${item}`;
}

function clientTexts(client: ClientRecord): ClientTexts {
  const { id, hello, isConnected, latencyMs, isMuted, volume } = client;
  // Keys in alphabetical order already: `jsonOf`, which sorts them, takes five times as long.
  const text = JSON.stringify({
    config: {
      instance: hello.instance,
      latency: latencyMs,
      name: client.name.trim(),
      volume: { muted: isMuted, percent: volume },
    },
    connected: isConnected,
    host: {
      arch: hello.arch.trim(),
      ip: client.address,
      mac: hello.mac.trim(),
      name: hello.hostName.trim(),
      os: hello.os.trim(),
    },
    id,
    lastSeen: 0,
    snapclient: {
      name: hello.clientName.trim(),
      protocolVersion: hello.protocolVersion,
      version: hello.version.trim(),
    },
  });
  // Found once: inside of any text of the client these quotes would be escaped.
  const [head = '', tail = ''] = text.split('"lastSeen":0');
  return { head: `${head}"lastSeen":{"sec":`, tail: `}${tail}` };
}

function groupTail(group: GroupRecord): string {
  const { id, isMuted, name } = group;
  const stream_id = playedStreamId(group).trim();
  const rest = { id, muted: isMuted, name: name.trim(), stream_id };
  return `],${JSON.stringify(rest).slice(1)}`;
}

function serverJson({ arch, name, os }: HostFacts): string {
  return jsonOf({
    host: { arch: arch.trim(), ip: '', mac: '', name: name.trim(), os: os.trim() },
    snapserver: {
      controlProtocolVersion: 1,
      name: 'Snapserver',
      protocolVersion: 1,
      version: compatibleVersion,
    },
  });
}
