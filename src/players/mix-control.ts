import type { Mix, MixEnd, MixFormat, MixInput, MixSettings } from '../audio/mix-input.ts';
import type { MixTarget } from '../audio/mixer.ts';
import type { PcmPast } from '../audio/pcm-past.ts';
import type { Clock } from '../base/clock.ts';
import { messageOf, SourceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { ClientRecord } from '../clients/client-record.ts';
import type { Registry } from '../clients/registry.ts';
import type { StreamChannel } from '../streams/stream-channel.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import type { Variant } from '../streams/variant.ts';
import { playablePastMs } from '../transport/broadcast.ts';
import { levelsFor, maxLevels } from './mix-levels.ts';
import type { PlayerServer } from './player-server.ts';
import { SettingsOverride } from './settings-override.ts';

/** How often it is looked who has got all of a mix that is over. */
const leaveCheckMs = 20;
/** Players that take so much longer than the buffer lasts have nothing of it left to get. */
const maxLeaveBuffers = 3;
/**
 * How exactly it is known when a player puts settings into force: it does so to the audio that it is
 * just about to give to its device. The music is down for so long before, and behind.
 */
const settingsGuardMs = 150;

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
  /** Players are to play the sound as loud as at this volume, percent; absent: at theirs. */
  readonly volume?: number | undefined;
  /** Players that are muted hear the sound, and nothing else. */
  readonly overridesMute?: boolean | undefined;
  /** How much louder the sound is to be over a stream, dB; absent: as it is. */
  readonly moreDbOn?: ((streamId: string) => number) | undefined;
  readonly listeners: MixListeners;
  /**
   * It is heard at once, at the price of a short dropout, where what is heard now is still there to be
   * rendered anew: from the second time on, as the PCM of streams is kept since the first one.
   */
  readonly isUrgent?: boolean;
  /** Once: when the music is back everywhere, or nothing is left to hear it. */
  readonly onEnd: (reason: MixEnd) => void;
}

interface MixControlOptions {
  readonly streams: Pick<StreamDirectory, 'channels'>;
  readonly registry: Pick<Registry, 'clients'>;
  readonly server: Pick<PlayerServer, 'sessions' | 'route' | 'routeFrom'>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly bufferMs: number;
}

/** A stream, which of those who hear it are meant, and how they are to hear it. */
interface Addressed {
  readonly channel: StreamChannel;
  readonly clientIds: ReadonlySet<string> | 'all';
  /** All who hear it now. */
  readonly isWhole: boolean;
  readonly settings: MixSettings;
  readonly override?: SettingsOverride;
}

/** A variant, for whom it is, and how many sounds are mixed in it. */
interface PartialMix {
  readonly channel: StreamChannel;
  readonly variant: Variant;
  readonly clientIds: Addressed['clientIds'];
  readonly override: SettingsOverride | undefined;
  mixes: number;
}

/** Where a sound can be mixed in, and the sound. */
interface Place {
  readonly channel: StreamChannel;
  readonly target: MixTarget;
  readonly input: MixInput;
  readonly settings: MixSettings;
  /** Absent where all listeners of the stream are meant. */
  readonly partial?: PartialMix;
  /** What is to be rendered anew. */
  readonly past?: PcmPast | undefined;
}

/**
 * Mixes sounds over streams, at one time over all that are meant: in the stream itself when all of its
 * listeners are, else in a variant of it. An urgent one is always mixed in a variant, which begins with
 * what players are about to play.
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
      if (includes(partial.clientIds, id)) return partial.variant;
    }
    return undefined;
  }

  /** What those who hear it are told in the place of their settings. */
  overrideOf(variant: Variant): SettingsOverride | undefined {
    return this.#partials.find((partial) => partial.variant === variant)?.override;
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
    const addressed = this.#addressed(request).flatMap((one) => this.#levelled(one, request));
    const pasts = request.isUrgent ? await this.#pastsOf(addressed) : undefined;
    const openings = addressed.map((one) => {
      const past = pasts?.get(one.channel);
      const isInStream = one.isWhole && !past;
      return isInStream ? openWhole(one, request) : this.#openPartial(one, request, past);
    });
    const opened = await Promise.allSettled(openings);
    const places = opened.flatMap((result) =>
      result.status === 'fulfilled' && result.value ? [result.value] : [],
    );
    const fault = opened.find((result) => result.status === 'rejected');
    if (!fault && places.length > 0) return places;
    this.#giveUp(places);
    throw fault?.reason ?? new SourceError('no-listeners', 'no player of these is there');
  }

  #addressed({ listeners, moreDbOn, settings: usual }: MixRequest): readonly Addressed[] {
    const { streamIds, clientIds = new Set() } = listeners;
    const addressed: Addressed[] = [];
    for (const channel of this.#options.streams.channels.values()) {
      if (!channel.isPlayable) continue;
      const settings = { ...usual, gainDb: usual.gainDb + (moreDbOn?.(channel.id) ?? 0) };
      if (streamIds?.has(channel.id)) {
        addressed.push({ channel, clientIds: 'all', isWhole: true, settings });
        continue;
      }
      const whom = this.#shareOf(channel, clientIds);
      const isWhole = whom === 'all';
      if (whom !== 'none') addressed.push({ channel, clientIds, isWhole, settings });
    }
    return addressed;
  }

  /** By what is set at these players, where the sound has a volume of its own or overrides their mute. */
  #levelled(addressed: Addressed, request: MixRequest): readonly Addressed[] {
    if (request.volume === undefined && !request.overridesMute) return [addressed];
    const { channel, settings } = addressed;
    const most = Math.max(1, Math.min(maxLevels, channel.freeVariants));
    const levels = levelsFor(request, this.#playersOf(addressed), most);
    return levels.map(({ clients, gainDb, musicDb, raisedTo, isUnmuted }) => {
      const louder = { ...settings, gainDb: settings.gainDb + gainDb };
      const isAsSet = raisedTo === undefined && !isUnmuted;
      if (levels.length === 1 && isAsSet) return { ...addressed, settings: louder };
      const ids = clients.map(({ id }) => id);
      // Whoever comes to the stream meanwhile may need another level.
      const own = { channel, clientIds: new Set(ids), isWhole: false };
      if (isAsSet) return { ...own, settings: louder };
      const { server, bufferMs, clock } = this.#options;
      const override = new SettingsOverride({
        ...{ clients, raisedTo, isUnmuted, bufferMs, clock },
        onChange: (changed) => server.route(changed),
      });
      return { ...own, settings: guarded(louder, musicDb), override };
    });
  }

  /** Those of the stream, and others that are meant, too. */
  #playersOf({ channel, clientIds }: Addressed) {
    const { registry, server } = this.#options;
    const clients = new Set<ClientRecord>();
    for (const { channel: played, client } of server.sessions) {
      if (played === channel && client && includes(clientIds, client.id)) clients.add(client);
    }
    const ids = clientIds === 'all' ? [] : [...clientIds];
    const others = ids.flatMap((id) => registry.clients.get(id) ?? []);
    return { clients: [...clients], others };
  }

  /** `undefined` unless all is there that players of these streams have not played yet. */
  async #pastsOf(
    addressed: readonly Addressed[],
  ): Promise<ReadonlyMap<StreamChannel, PcmPast> | undefined> {
    const pasts = new Map<StreamChannel, PcmPast>();
    // Of all streams, as the next one may be for others.
    for (const channel of this.#options.streams.channels.values()) {
      const past = channel.isPlayable ? await channel.stream.keepPast?.() : undefined;
      if (past?.reaches(this.#playableUs)) pasts.set(channel, past);
    }
    return addressed.every(({ channel }) => pasts.has(channel)) ? pasts : undefined;
  }

  /** When that was captured which a player that begins now can still play. */
  get #playableUs(): number {
    const { clock, bufferMs } = this.#options;
    return clock.nowUs() - playablePastMs(bufferMs) * 1000;
  }

  /** Which of those who hear a stream are among these clients. */
  #shareOf(channel: StreamChannel, clientIds: ReadonlySet<string>): 'all' | 'some' | 'none' {
    let [meant, others] = [0, channel.hasReaders ? 1 : 0];
    for (const session of this.#options.server.sessions) {
      if (session.channel !== channel || !session.client) continue;
      if (clientIds.has(session.client.id)) meant += 1;
      else others += 1;
    }
    if (meant === 0) return 'none';
    return others === 0 ? 'all' : 'some';
  }

  /** With what of the past is to be rendered anew, if it is. */
  async #openPartial(
    addressed: Addressed,
    { open }: MixRequest,
    past?: PcmPast,
  ): Promise<Place | undefined> {
    const { channel, settings } = addressed;
    const input = await open(channel.stream.format);
    const shared = past ? undefined : this.#shared(addressed);
    const opening = shared ?? this.#newPartial(addressed, { isAnew: past !== undefined });
    try {
      const partial = await opening;
      if (partial) {
        return { channel, target: partial.variant.input, input, settings, partial, past };
      }
    } catch (error) {
      input.close();
      throw error;
    }
    input.close();
    return undefined;
  }

  /** The variant of those who hear the same anyway. */
  #shared({ channel, clientIds, override }: Addressed): PartialMix | undefined {
    if (override) return undefined;
    return this.#partials.find(
      (partial) =>
        partial.channel === channel &&
        partial.mixes > 0 &&
        partial.variant.isOpen &&
        !partial.override &&
        haveSame(partial.clientIds, clientIds),
    );
  }

  async #newPartial(
    { channel, clientIds, override }: Addressed,
    options: { readonly isAnew: boolean },
  ): Promise<PartialMix | undefined> {
    const variant = await channel.openVariant((error) => this.#onFailure(variant, error), options);
    if (!variant) return undefined;
    const partial = { channel, variant, clientIds, override, mixes: 0 };
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
  #startAll(places: readonly Place[], { settings: { startUs: wantedUs }, onEnd }: MixRequest): Mix {
    const present = places.filter(({ target }) => !target.isClosed);
    if (present.length === 0) throw new SourceError('no-listeners', 'the stream has gone');
    if (present.some(({ target }) => !target.hasRoom)) {
      throw new SourceError('many-mixes', 'too many sounds are mixed over a stream already');
    }
    this.#giveUp(places.filter((place) => !present.includes(place)));
    for (const { past, partial } of present) {
      if (past) partial?.variant.input.rewind(past, this.#playableUs);
    }
    const earliestUs = present.map(({ target, settings }) => target.earliestStartUs(settings));
    const startUs = Math.max(wantedUs ?? Number.NEGATIVE_INFINITY, ...earliestUs);
    const reasons: MixEnd[] = [];
    const mixes = present.map(({ channel, target, input, settings, partial }) => {
      if (partial) partial.mixes += 1;
      partial?.override?.beginAt(startUs - settingsGuardMs * 1000);
      return target.start({
        input,
        settings: { ...settings, startUs },
        onSoundEnd: (endUs, heldMs) => {
          const guardUs = Math.max(0, settingsGuardMs - heldMs) * 1000;
          partial?.override?.endAt(endUs - guardUs);
        },
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
  #gather({ channel, clientIds }: PartialMix): void {
    const { registry, server } = this.#options;
    if (clientIds !== 'all') {
      server.route([...clientIds].flatMap((id) => registry.clients.get(id) ?? []));
      return;
    }
    const there = [...server.sessions].filter((session) => session.channel === channel);
    server.route(new Set(there.flatMap(({ client }) => client ?? [])));
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

async function openWhole(
  { channel, settings }: Addressed,
  { open }: MixRequest,
): Promise<Place | undefined> {
  const target = await channel.stream.openMixer?.();
  if (!target) return undefined;
  return { channel, target, input: await open(channel.stream.format), settings };
}

/** The music is down by as much more, and before and behind the time for which players are raised. */
function guarded(settings: MixSettings, musicDb: number): MixSettings {
  return {
    ...settings,
    duckDb: settings.duckDb + musicDb,
    leadMs: Math.max(settings.leadMs, settingsGuardMs),
    holdMs: Math.max(settings.holdMs, settingsGuardMs),
  };
}

function includes(clientIds: Addressed['clientIds'], id: string): boolean {
  return clientIds === 'all' || clientIds.has(id);
}

function haveSame(a: Addressed['clientIds'], b: Addressed['clientIds']): boolean {
  if (a === b) return true;
  return a !== 'all' && b !== 'all' && a.size === b.size && [...a].every((id) => b.has(id));
}

const byWeight: readonly MixEnd[] = ['failed', 'stopped', 'ended'];

/** The end of all that is told of several. */
function endOf(reasons: readonly MixEnd[]): MixEnd {
  return byWeight.find((reason) => reasons.includes(reason)) ?? 'gone';
}
