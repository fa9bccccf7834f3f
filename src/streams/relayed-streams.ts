import { formatStreamUri } from '../audio/stream-uri.ts';
import { SourceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { OriginLink } from '../edge/origin-link.ts';
import type { StreamDirectory } from './stream-directory.ts';

/** What the one stream of a snapserver is called that has no other name here. */
const usualName = 'default';
const all = '*';

interface RelayedStreamsOptions {
  readonly streams: StreamDirectory;
  readonly link: OriginLink;
  /** Of streams at the origin; `*` for all. */
  readonly wanted: readonly string[];
  readonly logger: Logger;
}

/** Makes the streams of an edge those of its origin, in their order and in front of its own. */
export class RelayedStreams {
  readonly #options: RelayedStreamsOptions;
  readonly #logger: Logger;
  readonly #names = new Set<string>();
  /** Those that could not be opened, so that the log tells it once. */
  readonly #failed = new Set<string>();
  #running: Promise<void> | undefined;
  #isAnew = false;
  #bufferMs: number | undefined;

  constructor(options: RelayedStreamsOptions) {
    this.#options = options;
    this.#logger = options.logger.tagged('Edge');
  }

  /** The facts of the origin are other ones. Resolves when the streams follow them. */
  review(): Promise<void> {
    this.#isAnew = true;
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isAnew) {
      this.#isAnew = false;
      await this.#follow();
    }
    this.#running = undefined;
  }

  async #follow(): Promise<void> {
    const { streams, link } = this.#options;
    const { bufferMs } = link;
    if (bufferMs === undefined) return;
    const names = this.#wantedNames();
    for (const name of this.#names) {
      if (names.includes(name)) continue;
      this.#names.delete(name);
      await streams.remove(name);
    }
    const isBufferOther = bufferMs !== this.#bufferMs;
    this.#bufferMs = bufferMs;
    for (const name of names) {
      const old = this.#names.has(name) ? streams.channels.get(name) : undefined;
      if (!old) await this.#add(name);
      else if (isBufferOther) await streams.renew(old);
    }
    streams.putFirst(names.filter((name) => this.#names.has(name)));
  }

  #wantedNames(): readonly string[] {
    const { wanted, link } = this.#options;
    if (!link.facts) return [wanted.find((name) => name !== all) ?? usualName];
    const names = link.facts.streams.map(({ id }) => id);
    return wanted.includes(all) ? names : names.filter((name) => wanted.includes(name));
  }

  async #add(name: string): Promise<void> {
    const { streams, link } = this.#options;
    const { host, port } = link.address;
    const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    const address = {
      scheme: 'snap',
      host: authority,
      path: `/${name}`,
      fragment: '',
      query: { name },
    };
    try {
      await streams.addTrusted(formatStreamUri(address));
      this.#names.add(name);
      this.#failed.delete(name);
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      if (!this.#failed.has(name)) {
        this.#failed.add(name);
        this.#logger.error('a stream of the origin is left out', {
          stream: name,
          reason: error.message,
        });
      }
    }
  }
}
