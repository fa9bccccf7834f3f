import type { ControlMessage } from './control-inbox.ts';
import type { ServerStatus } from './server-status.ts';

/**
 * What a controller knows from what it was told, message by message.
 *
 * Snapweb throws, and python-snapcast raises, when a notification is about something else.
 */
export class KnownThings {
  /** Notifications about something that the controller had not heard of. */
  readonly surprises: string[] = [];
  #clients: ReadonlySet<string> = new Set();
  #groups: ReadonlySet<string> = new Set();
  #streams: ReadonlySet<string> = new Set();

  hear({ method = '', params = {}, result }: ControlMessage): void {
    const server = statusIn(params) ?? statusIn(result);
    if (server) {
      this.#learn(server);
      return;
    }
    const known = this.#kindOf(method);
    if (known && !known.has(String(params.id))) {
      this.surprises.push(`${method} about ${String(params.id)}`);
    }
    if (method === 'Group.OnStreamChanged' && !this.#streams.has(String(params.stream_id))) {
      this.surprises.push(`${method} to ${String(params.stream_id)}`);
    }
  }

  #kindOf(method: string): ReadonlySet<string> | undefined {
    const kinds: Readonly<Record<string, ReadonlySet<string>>> = {
      Client: this.#clients,
      Group: this.#groups,
      Stream: this.#streams,
    };
    return kinds[method.split('.')[0] ?? ''];
  }

  #learn({ groups, streams }: ServerStatus): void {
    this.#groups = new Set(groups.map(({ id }) => id));
    this.#clients = new Set(groups.flatMap(({ clients }) => clients.map(({ id }) => id)));
    this.#streams = new Set(streams.map(({ id }) => id));
  }
}

function statusIn(holder: unknown): ServerStatus | undefined {
  if (typeof holder !== 'object' || holder === null || !('server' in holder)) return undefined;
  return holder.server as ServerStatus;
}
