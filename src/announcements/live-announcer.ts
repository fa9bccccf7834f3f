import { announcingParameters } from '../audio/known-parameters.ts';
import type { PcmObserver, TimedPcm } from '../audio/stage.ts';
import { AssertionError, messageOf } from '../base/errors.ts';
import type { JsonObject } from '../base/files/json-fields.ts';
import type { Logger } from '../base/logger.ts';
import { LogLimiter } from '../base/time/log-limiter.ts';
import type { Dsp } from '../dsp/dsp.ts';
import type { StreamChannel } from '../streams/stream-channel.ts';
import { membersOfQuery, readAnnouncement } from './announcement-request.ts';
import type { Announcements } from './announcements.ts';
import { Sound } from './sound.ts';

/** What is kept of a live sound while it waits for another announcement. */
const keptMs = 10_000;
/** What cannot be announced now is tried again after this time. */
const retryMs = 1000;

interface LiveAnnouncerOptions {
  readonly channel: StreamChannel;
  /** How it is announced, as parameters of `Announce.Play`. */
  readonly members: JsonObject;
  readonly announcements: Announcements;
  readonly dsp: Dsp;
  readonly logger: Logger;
}

/** Mixes what one stream plays over others, for as long as it plays. */
export class LiveAnnouncer implements PcmObserver {
  readonly #options: LiveAnnouncerOptions;
  readonly #log = new LogLimiter();
  readonly #stages: StreamChannel['stream']['stages'];
  #sound: Sound | undefined;
  #id: string | undefined;
  #retryAtMs = 0;
  /** Until the stream falls silent. */
  #isStopped = false;
  #isClosed = false;

  constructor(options: LiveAnnouncerOptions) {
    this.#options = options;
    const { stream } = options.channel;
    this.#stages = stream.stages;
    this.#stages?.observe(this);
    stream.addPcmListener?.();
  }

  get channel(): StreamChannel {
    return this.#options.channel;
  }

  take({ chunk }: TimedPcm): void {
    const { stream } = this.#options.channel;
    if (stream.state !== 'playing') {
      this.endRun();
      return;
    }
    const sound = this.#sound ?? this.#begin();
    if (!sound) return;
    const { payload } = chunk;
    const samples = new Float32Array(payload.length / stream.format.sampleBytes);
    this.#options.dsp.toFloat(payload, stream.format, samples);
    sound.push(samples);
  }

  endRun(): void {
    this.#sound?.end();
    this.#sound = undefined;
    this.#retryAtMs = 0;
    this.#isStopped = false;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { stream } = this.#options.channel;
    this.#stages?.unobserve(this);
    stream.removePcmListener?.();
    this.endRun();
    if (this.#id !== undefined) this.#options.announcements.stop({ id: this.#id });
  }

  #begin(): Sound | undefined {
    if (this.#isStopped || performance.now() < this.#retryAtMs) return undefined;
    this.#retryAtMs = performance.now() + retryMs;
    const { rateHz, channels } = this.#options.channel.stream.format;
    const sound = new Sound({ rateHz, channels, keptMs });
    this.#sound = sound;
    void this.#announce(sound);
    return sound;
  }

  async #announce(sound: Sound): Promise<void> {
    const { announcements, members } = this.#options;
    try {
      const { id } = await announcements.play(readAnnouncement(members, sound));
      this.#id = id;
      if (this.#isClosed) announcements.stop({ id });
      const end = await announcements.heard(id);
      this.#id = undefined;
      // By a controller, who does not want to hear the rest.
      const isStopped = end?.state === 'stopped' && end.reason === undefined;
      if (isStopped && this.#sound === sound) this.#isStopped = true;
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      this.#tell(messageOf(error));
    }
    // What goes on playing is announced anew.
    sound.end();
    if (this.#sound === sound) this.#sound = undefined;
  }

  #tell(reason: string): void {
    if (!this.#log.allows()) return;
    const { logger, channel } = this.#options;
    logger.tagged('Announce').warn('a stream cannot be announced', { stream: channel.id, reason });
  }
}

/**
 * The parameters that the address of a stream gives.
 *
 * Shape: `announce` is `all`, or a list such as `group:Kitchen,client:bath,stream:Radio`.
 */
export function membersOfAddress(address: Readonly<Record<string, string>>): JsonObject {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(address)) {
    if (announcingParameters.includes(key)) query.append(key, value);
  }
  for (const target of (address.announce ?? '').split(',').map((text) => text.trim())) {
    const [, kind, name] = /^(client|group|stream):(.+)$/.exec(target) ?? [];
    if (kind !== undefined && name !== undefined) query.append(kind, name);
    else query.append(target, '');
  }
  return membersOfQuery(query);
}
