import type { Mix, MixEnd, MixFormat, MixInput, MixSettings } from '../audio/mix-input.ts';
import type { Mixer } from '../audio/mixer.ts';
import type { Stream } from '../audio/stream.ts';
import { SourceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';

/** Who is to hear a mix: all who play these streams. */
interface MixListeners {
  readonly streamIds?: ReadonlySet<string>;
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
  readonly logger: Logger;
}

/** Where a sound can be mixed in, and the sound. */
interface Place {
  readonly stream: Stream;
  readonly mixer: Mixer;
  readonly input: MixInput;
}

/** Mixes sounds over streams, at one time over all that are meant. */
export class MixControl {
  readonly #options: MixControlOptions;

  constructor(options: MixControlOptions) {
    this.#options = options;
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
      for (const { input } of places) input.close();
      throw error;
    }
  }

  /** Those that could be opened; the others' streams have gone meanwhile. */
  async #open({ listeners, open }: MixRequest): Promise<readonly Place[]> {
    const streams = [...(listeners.streamIds ?? [])].flatMap((id) => this.#streamOf(id));
    const opened = await Promise.allSettled(streams.map((stream) => openAt(stream, open)));
    const places = opened.flatMap((result) =>
      result.status === 'fulfilled' && result.value ? [result.value] : [],
    );
    const fault = opened.find((result) => result.status === 'rejected');
    if (!fault && places.length > 0) return places;
    for (const { input } of places) input.close();
    throw fault?.reason ?? new SourceError('no-listeners', 'no stream is there to be mixed over');
  }

  #streamOf(id: string): readonly Stream[] {
    const channel = this.#options.streams.channels.get(id);
    return channel?.isPlayable ? [channel.stream] : [];
  }

  /** Within one turn of the event loop, so that what is soonest for one is not too late for another. */
  #startAll(places: readonly Place[], { settings, onEnd }: MixRequest): Mix {
    const present = places.filter(({ mixer }) => mixer.hasRoom);
    if (present.length < places.length) {
      throw new SourceError('many-mixes', 'too many sounds are mixed over a stream already');
    }
    const earliestUs = places.map(({ mixer }) => mixer.earliestStartUs(settings));
    const startUs = Math.max(settings.startUs ?? Number.NEGATIVE_INFINITY, ...earliestUs);
    const reasons: MixEnd[] = [];
    const mixes = places.map(({ stream, mixer, input }) =>
      mixer.start({
        input,
        settings: { ...settings, startUs },
        onEnd: (reason, fault) => {
          if (fault) this.#options.logger.warn('sound broke off', { stream: stream.id, fault });
          reasons.push(reason);
          if (reasons.length === places.length) onEnd(endOf(reasons));
        },
      }),
    );
    return {
      startUs,
      stop: (fadeMs) => {
        for (const mix of mixes) mix.stop(fadeMs);
      },
    };
  }
}

async function openAt(stream: Stream, open: MixRequest['open']): Promise<Place | undefined> {
  const mixer = await stream.openMixer?.();
  if (!mixer) return undefined;
  const { rateHz, channels } = stream.format;
  const input = await open({ rateHz, channels });
  if (!mixer.isClosed) return { stream, mixer, input };
  input.close();
  return undefined;
}

const byWeight: readonly MixEnd[] = ['failed', 'stopped', 'ended'];

/** The end of all that is told of several. */
function endOf(reasons: readonly MixEnd[]): MixEnd {
  return byWeight.find((reason) => reasons.includes(reason)) ?? 'gone';
}
