import type { EdgeWish, OriginFacts } from '../protocol/messages.ts';
import type { StreamChannel } from '../streams/stream-channel.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import type { Session } from './session.ts';

export interface EdgeDeskOptions {
  readonly streams: Pick<StreamDirectory, 'channels'>;
  readonly bufferMs: () => number;
  /** The id of the time of this server. */
  readonly timelineId: () => string;
  /** Where the time is told by UDP; opened when the first edge comes. */
  readonly openTime: () => Promise<OriginFacts['time']>;
}

interface Edge {
  readonly wish: EdgeWish;
  isListening: boolean;
  /** What it was told last. */
  told: string;
}

/** The sessions of edges: servers that take streams from this one. They are no clients of any group. */
export class EdgeDesk {
  readonly #options: EdgeDeskOptions;
  readonly #edges = new Map<Session, Edge>();
  #time: OriginFacts['time'];
  #opening: Promise<void> | undefined;

  constructor(options: EdgeDeskOptions) {
    this.#options = options;
  }

  /** Names of the edges that are connected. */
  get names(): ReadonlySet<string> {
    return new Set([...this.#edges.values()].map(({ wish }) => wish.name));
  }

  /** Answers the Hello of an edge: with the facts, and for a stream with its header and audio. */
  greet(session: Session, wish: EdgeWish, requestId: number): void {
    const edge = { wish, isListening: wish.isListening, told: '' };
    this.#edges.set(session, edge);
    const settings = this.#settings();
    edge.told = JSON.stringify(settings);
    session.welcomeEdge(settings, requestId, (isListening) => {
      edge.isListening = isListening;
      this.#route(session, edge);
    });
    this.#route(session, edge);
    this.#opening ??= this.#openTime();
  }

  /** Streams have come, gone or changed. */
  review(): void {
    if (this.#edges.size === 0) return;
    const settings = this.#settings();
    const text = JSON.stringify(settings);
    for (const [session, edge] of this.#edges) {
      this.#route(session, edge);
      if (edge.wish.stream !== '' || edge.told === text) continue;
      edge.told = text;
      session.update(settings);
    }
  }

  forget(session: Session): void {
    this.#edges.delete(session);
  }

  #route(session: Session, { wish, isListening }: Edge): void {
    if (wish.stream === '') return;
    const channel = this.#options.streams.channels.get(wish.stream);
    session.play(channel && isPassedOn(channel) ? channel : undefined, isListening);
  }

  async #openTime(): Promise<void> {
    this.#time = await this.#options.openTime();
    this.review();
  }

  #settings() {
    const { streams, bufferMs, timelineId } = this.#options;
    const passedOn = [...streams.channels.values()].filter(isPassedOn);
    const origin: OriginFacts = {
      timeline: timelineId(),
      streams: passedOn.map(({ id, stream }) => ({ id, isPlaying: stream.state === 'playing' })),
      ...(this.#time && { time: this.#time }),
    };
    return { bufferMs: bufferMs(), latencyMs: 0, muted: false, volume: 100, origin };
  }
}

/** Also one that is disabled, as it may come back; not what no client can play. */
function isPassedOn({ stream }: StreamChannel): boolean {
  return stream.codec !== 'null';
}
