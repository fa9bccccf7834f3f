import type { StreamOptions } from '../audio/stream-options.ts';
import { parseStreamUri } from '../audio/stream-uri.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { within } from '../base/time/within.ts';
import type { Config } from '../config/config.ts';
import { originAddressOf } from '../edge/origin-address.ts';
import { OriginLink } from '../edge/origin-link.ts';
import type { Credentials } from '../protocol/messages.ts';

/** So long a start waits for the origin; after that it goes on without. */
const maxContactMs = 3000;

interface EdgeOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** That of this machine; absent: the usual one. */
  readonly local?: Clock | undefined;
}

/** What makes a server an edge: the link to its origin, whose time and `buffer` are its own. */
export class Edge {
  readonly link: OriginLink;
  readonly #config: Config;
  #onFacts: () => void = () => undefined;
  #bufferMs: number;
  #overlaid: { readonly from: Config; readonly config: Config } | undefined;

  /** Resolves when the time of the origin is known, or after a while without. */
  static async open(options: EdgeOptions): Promise<Edge> {
    const edge = new Edge(options);
    edge.link.open();
    await within(edge.link.timeline.locked(), maxContactMs);
    return edge;
  }

  private constructor({ config, logger, local }: EdgeOptions) {
    this.#config = config;
    this.#bufferMs = config.stream.buffer;
    this.link = new OriginLink({
      ...linkOptions(config),
      address: originAddressOf(parseStreamUri(config.edge.origin)),
      logger,
      ...(local && { local }),
      onFacts: () => {
        this.#bufferMs = this.link.bufferMs ?? this.#bufferMs;
        this.#onFacts();
      },
    });
  }

  /** The origin, its `buffer` or its streams are other ones. */
  follow(onFacts: () => void): void {
    this.#onFacts = onFacts;
    onFacts();
  }

  /** The same configuration with what the origin decides. */
  settingsOf(config: Config): Config {
    const { buffer } = config.stream;
    if (this.#bufferMs === buffer) return config;
    const { from, config: known } = this.#overlaid ?? {};
    if (from === config && known?.stream.buffer === this.#bufferMs) return known;
    const stream = { ...config.stream, buffer: this.#bufferMs };
    this.#overlaid = { from: config, config: { ...config, stream } };
    return this.#overlaid.config;
  }

  /** Whether the stream of this address comes from the origin. */
  isFrom({ uri }: StreamOptions): boolean {
    const { host, port } = originAddressOf(uri);
    const { address } = this.link;
    return host === address.host && port === address.port && this.#config.edge.origin !== '';
  }
}

/** The way to a server of which one stream is taken, which keeps its own time. */
export function openLinkTo(
  { uri }: StreamOptions,
  { config, clock, logger }: { config: Config; clock: Clock; logger: Logger },
): OriginLink {
  const link = new OriginLink({
    ...linkOptions(config),
    address: originAddressOf(uri),
    logger,
    clock,
    local: clock,
  });
  link.open();
  return link;
}

function linkOptions({ edge }: Config): {
  readonly name: string;
  readonly credentials?: Credentials;
} {
  const { name, login } = edge;
  return {
    name,
    ...(login && {
      credentials: { scheme: 'Basic', param: Buffer.from(login).toString('base64') },
    }),
  };
}
