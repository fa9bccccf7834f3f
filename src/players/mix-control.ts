import type { Mix, MixEnd, MixFormat, MixInput, MixSettings } from '../audio/mix-input.ts';
import type { MixTarget } from '../audio/mixer.ts';
import { messageOf, SourceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { ClientRecord } from '../clients/client-record.ts';
import type { Registry } from '../clients/registry.ts';
import type { StreamChannel } from '../streams/stream-channel.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import type { Variant } from '../streams/variant.ts';
import type { PlayerServer } from './player-server.ts';

/** How often it is looked who has got all of a mix that is over. */
const leaveCheckMs = 20;
/** Players that take so much longer than the buffer lasts have nothing of it left to get. */
const maxLeaveBuffers = 3;

/** Who is to hear a mix: all who play these streams, and these clients, whatever they play. */
interface MixListeners {
  readonly streamIds?: ReadonlySet<string>;
  /** Asked as long as the mix lasts: those that come, or come back, hear it with the others. */
  readonly clientIds?: ReadonlySet<string>;
}

export interface MixRequest {
  /**
   * Opens the sound anew for each stream that it is mixed over, before it begins.
   *
   * Ownership: the inputs are closed, also when the mix cannot begin.
   */
  readonly open: (format: MixFormat) => MixInput | Promise<MixInput>;
  readonly settings: MixSettings;
  readonly listeners: MixListeners;
  /** Once: when the music is back everywhere, or nothing is left to hear it. */
  readonly onEnd: (reason: MixEnd) => void;
}

interface MixControlOptions {
  readonly streams: Pick<StreamDirectory, 'channels'>;
  readonly registry: Pick<Registry, 'clients'>;
  readonly server: Pick<PlayerServer, 'sessions' | 'route' | 'routeFrom'>;
  readonly logger: Logger;
  readonly bufferMs: number;
}

/** A variant, for whom it is, and how many sounds are mixed in it. */
interface PartialMix {
  readonly channel: StreamChannel;
  readonly variant: Variant;
  readonly clientIds: ReadonlySet<string>;
  mixes: number;
}

/** Where a sound can be mixed in, and the sound. */
interface Place {
  readonly channel: StreamChannel;
  readonly target: MixTarget;
  readonly input: MixInput;
  /** Absent where all listeners of the stream are meant. */
  readonly partial?: PartialMix;
}

/**
 * Mixes sounds over streams, at one time over all that are meant: in the stream itself when all of its
 * listeners are, else in a variant of it.
 */
export class MixControl {
  readonly #options: MixControlOptions;
  #partials: readonly PartialMix[] = [];
  readonly #leaveTimers = new Map<PartialMix, NodeJS.Timeout>();

  constructor(options: MixControlOptions) {
    this.#options = options;
  }

  /** The newest one that is meant for a client. */
  variantFor({ id }: ClientRecord, channel: StreamChannel): Variant | undefined {
    for (let index = this.#partials.length - 1; index >= 0; index -= 1) {
      const partial = this.#partials[index]!;
      if (partial.channel !== channel || partial.mixes === 0) continue;
      if (partial.clientIds.has(id)) return partial.variant;
    }
    return undefined;
  }

  /**
   * Resolves when all is ready and it is known when it begins.
   *
   * Failure: rejects with a `SourceError` when none of the listeners is there or so much is mixed
   * already, and with what `open` throws.
   */
  async start(request: MixRequest): Promise<Mix> {
    const places = await this.#open(request);
    try {
      return this.#startAll(places, request);
    } catch (error) {
      this.#giveUp(places);
      throw error;
    }
  }

  /** Those that could be opened; the others' streams have gone meanwhile. */
  async #open(request: MixRequest): Promise<readonly Place[]> {
    const { streamIds = new Set(), clientIds = new Set() } = request.listeners;
    const openings: Promise<Place | undefined>[] = [];
    for (const channel of this.#options.streams.channels.values()) {
      if (!channel.isPlayable) continue;
      const whom = streamIds.has(channel.id) ? 'all' : this.#addressed(channel, clientIds);
      if (whom === 'all') openings.push(openWhole(channel, request));
      else if (whom === 'some') openings.push(this.#openPartial(channel, clientIds, request));
    }
    const opened = await Promise.allSettled(openings);
    const places = opened.flatMap((result) =>
      result.status === 'fulfilled' && result.value ? [result.value] : [],
    );
    const fault = opened.find((result) => result.status === 'rejected');
    if (!fault && places.length > 0) return places;
    this.#giveUp(places);
    throw fault?.reason ?? new SourceError('no-listeners', 'no player of these is there');
  }

  /** Which of those who hear a stream are among these clients. */
  #addressed(channel: StreamChannel, clientIds: ReadonlySet<string>): 'all' | 'some' | 'none' {
    let [meant, others] = [0, channel.hasReaders ? 1 : 0];
    for (const session of this.#options.server.sessions) {
      if (session.channel !== channel || !session.client) continue;
      if (clientIds.has(session.client.id)) meant += 1;
      else others += 1;
    }
    if (meant === 0) return 'none';
    return others === 0 ? 'all' : 'some';
  }

  async #openPartial(
    channel: StreamChannel,
    clientIds: ReadonlySet<string>,
    { open }: MixRequest,
  ): Promise<Place | undefined> {
    const input = await open(channel.stream.format);
    const partial =
      this.#shared(channel, clientIds) ??
      (await this.#newPartial(channel, clientIds).catch((error: unknown) => {
        input.close();
        throw error;
      }));
    if (partial) return { channel, target: partial.variant.input, input, partial };
    input.close();
    return undefined;
  }

  /** The variant of those who hear the same anyway. */
  #shared(channel: StreamChannel, clientIds: ReadonlySet<string>): PartialMix | undefined {
    return this.#partials.find(
      (partial) =>
        partial.channel === channel &&
        partial.mixes > 0 &&
        partial.variant.isOpen &&
        haveSame(partial.clientIds, clientIds),
    );
  }

  async #newPartial(
    channel: StreamChannel,
    clientIds: ReadonlySet<string>,
  ): Promise<PartialMix | undefined> {
    const variant = await channel.openVariant((error) => this.#onFailure(variant, error));
    if (!variant) return undefined;
    const partial = { channel, variant, clientIds, mixes: 0 };
    this.#partials = [...this.#partials, partial];
    return partial;
  }

  #giveUp(places: readonly Place[]): void {
    for (const { input, partial } of places) {
      input.close();
      if (partial?.mixes === 0) this.#close(partial);
    }
  }

  /** Within one turn of the event loop, so that what is soonest for one is not too late for another. */
  #startAll(places: readonly Place[], { settings, onEnd }: MixRequest): Mix {
    const present = places.filter(({ target }) => !target.isClosed);
    if (present.length === 0) throw new SourceError('no-listeners', 'the stream has gone');
    if (present.some(({ target }) => !target.hasRoom)) {
      throw new SourceError('many-mixes', 'too many sounds are mixed over a stream already');
    }
    this.#giveUp(places.filter((place) => !present.includes(place)));
    const earliestUs = present.map(({ target }) => target.earliestStartUs(settings));
    const startUs = Math.max(settings.startUs ?? Number.NEGATIVE_INFINITY, ...earliestUs);
    const reasons: MixEnd[] = [];
    const mixes = present.map(({ channel, target, input, partial }) => {
      if (partial) partial.mixes += 1;
      return target.start({
        input,
        settings: { ...settings, startUs },
        onEnd: (reason, fault) => {
          const { logger } = this.#options;
          if (fault) logger.warn('sound broke off', { stream: channel.id, reason: fault });
          if (partial) this.#mixEnded(partial);
          reasons.push(reason);
          if (reasons.length === present.length) onEnd(endOf(reasons));
        },
      });
    });
    for (const { partial } of present) if (partial) this.#gather(partial);
    return {
      startUs,
      stop: (fadeMs) => {
        for (const mix of mixes) mix.stop(fadeMs);
      },
    };
  }

  /** Brings those who are meant into the variant. */
  #gather({ clientIds }: PartialMix): void {
    const { registry, server } = this.#options;
    server.route([...clientIds].flatMap((id) => registry.clients.get(id) ?? []));
  }

  #mixEnded(partial: PartialMix): void {
    partial.mixes -= 1;
    if (partial.mixes > 0) return;
    partial.variant.end();
    const deadlineMs = performance.now() + maxLeaveBuffers * this.#options.bufferMs;
    this.#leaveTimers.set(
      partial,
      setInterval(() => this.#letLeave(partial, deadlineMs), leaveCheckMs),
    );
  }

  /** Each player goes on with the stream, or the next variant, when it has got the end of the mix. */
  #letLeave(partial: PartialMix, deadlineMs: number): void {
    const { variant } = partial;
    variant.settle();
    if (performance.now() > deadlineMs) variant.abandon();
    if (this.#options.server.routeFrom(variant) === 0) this.#close(partial);
  }

  /** Its encoder has broken: the stream itself goes on. */
  #onFailure(variant: Variant | undefined, error: unknown): void {
    const partial = this.#partials.find((one) => one.variant === variant);
    if (!partial) return;
    const { logger, server } = this.#options;
    logger.error('mix broke off', { stream: partial.channel.id, reason: messageOf(error) });
    // Not within the encoder that has broken.
    setImmediate(() => {
      partial.variant.abandon();
      server.routeFrom(partial.variant);
      this.#close(partial);
    });
  }

  #close(partial: PartialMix): void {
    clearInterval(this.#leaveTimers.get(partial));
    this.#leaveTimers.delete(partial);
    this.#partials = this.#partials.filter((one) => one !== partial);
    partial.channel.closeVariant(partial.variant);
  }
}

async function openWhole(channel: StreamChannel, { open }: MixRequest): Promise<Place | undefined> {
  const target = await channel.stream.openMixer?.();
  if (!target) return undefined;
  return { channel, target, input: await open(channel.stream.format) };
}

function haveSame(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a === b || (a.size === b.size && [...a].every((id) => b.has(id)));
}

const byWeight: readonly MixEnd[] = ['failed', 'stopped', 'ended'];

/** The end of all that is told of several. */
function endOf(reasons: readonly MixEnd[]): MixEnd {
  return byWeight.find((reason) => reasons.includes(reason)) ?? 'gone';
}
