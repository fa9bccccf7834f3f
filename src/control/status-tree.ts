import type { Change } from '../server/change.ts';
import type { ClientRecord, GroupRecord, Registry } from '../server/registry.ts';
import type { StreamChannel } from '../server/stream-channel.ts';
import type { StreamDirectory } from '../server/stream-directory.ts';
import type { JsonText } from './json-text.ts';

/** Facts about the machine, for display. */
export interface HostFacts {
  readonly arch: string;
  readonly name: string;
  readonly os: string;
}

export interface StatusTreeOptions {
  readonly registry: Registry;
  readonly streams: StreamDirectory;
  readonly host: HostFacts;
}

/** The JSON of clients, groups, streams and server, kept as text. Source: protocol reference, 8.1. */
export class StatusTree {
  constructor(_options: StatusTreeOptions) {}

  /** Forgets the texts that `change` made wrong; called before anybody is told of it. */
  invalidate(_change: Change): void {}

  client(_client: ClientRecord): JsonText {
    throw new Error('to be written');
  }

  group(_group: GroupRecord): JsonText {
    throw new Error('to be written');
  }

  stream(_channel: StreamChannel): JsonText {
    throw new Error('to be written');
  }

  /** The complete status: groups, server and the streams that controllers see. */
  server(): JsonText {
    throw new Error('to be written');
  }
}
