import type { ChildPlaces } from '../base/children/child-places.ts';
import { messageOf, SourceError } from '../base/errors.ts';
import { AddressRules } from '../base/net/address-rules.ts';
import type { ClipDecoder } from '../clips/clip-decoder.ts';
import type { ClipLibrary } from '../clips/clip-library.ts';
import { TurnQueue } from '../clips/turn-queue.ts';
import { AnnounceError } from './announce-error.ts';
import type { AnnouncementRequest } from './announcement-request.ts';
import { Arrival, decodeArriving } from './arriving-sound.ts';
import { type ChimeName, isChime, synthesizeChime } from './chimes.ts';
import { maxFirstByteMs, openDownload } from './clip-download.ts';
import { Sound } from './sound.ts';
import type { Part } from './sound-converter.ts';
import { normalizingGain } from './sound-loudness.ts';
import { speak, speechFailed } from './speech-program.ts';

/** Clips that are fetched or spoken at one time; others wait. */
const maxFetches = 8;
const maxWaitingFetches = 64;
/** Sound files that are decoded as a whole at one time, and others that wait for that. */
const maxDecodings = 4;
const maxWaitingDecodings = 64;
/** What is all there within this time is decoded as a whole, which measures its loudness exactly. */
const settleMs = 300;

interface ClipSettings {
  readonly allowedHosts: readonly string[];
  readonly ttsCommand: string;
  readonly maxSeconds: number;
}

/** What of a live sound is there before it begins. */
const livePlayableMs = 100;

export interface ClipPlaces {
  readonly library: Pick<ClipLibrary, 'open' | 'list'>;
  readonly decoder: Pick<ClipDecoder, 'decode'>;
}

interface ClipLoaderOptions {
  readonly places: ClipPlaces;
  readonly settings: () => ClipSettings;
  readonly children: ChildPlaces;
}

/** What an announcement plays. */
interface LoadedClip {
  readonly parts: readonly Part[];
  /** Resolves when nothing more of it comes, with the reason if that was too early. */
  readonly whole: Promise<unknown>;
}

/** Brings the sounds of announcements from where they are. */
export class ClipLoader {
  readonly #options: ClipLoaderOptions;
  readonly #turns = new TurnQueue({ maxRunning: maxFetches, maxWaiting: maxWaitingFetches });
  readonly #decodings = new TurnQueue({
    maxRunning: maxDecodings,
    maxWaiting: maxWaitingDecodings,
  });

  readonly #chimes = new Map<ChimeName, Promise<Sound>>();

  constructor(options: ClipLoaderOptions) {
    this.#options = options;
  }

  /**
   * Resolves as soon as it can be played.
   *
   * Failure: rejects with an `AnnounceError`, a `ClipError`, or the reason of `signal`; nothing of it
   * runs any more then.
   */
  async load(request: AnnouncementRequest, signal: AbortSignal): Promise<LoadedClip> {
    const { pre, repeat = 1, loudness, max_seconds: asked = Number.POSITIVE_INFINITY } = request;
    const maxSeconds = Math.min(asked, this.#options.settings().maxSeconds);
    const limits = { maxSeconds, signal };
    const first = pre === undefined ? [] : [await this.#opening(pre, limits)];
    const { sound, whole } = await this.#main(request, limits);
    const part = async (sound: Sound): Promise<Part> => ({
      sound,
      gain: loudness === 'off' || !sound.isMeasurable ? 1 : await normalizingGain(sound),
    });
    const main = await part(sound);
    const repeated = Array.from({ length: repeat }, () => main);
    return { parts: [...(await Promise.all(first.map(part))), ...repeated], whole };
  }

  /** A chime, or a clip of the library. */
  async #opening(name: string, limits: ClipLimits): Promise<Sound> {
    if (isChime(name)) return this.#chime(name);
    return Sound.of(await this.#options.places.library.open(name, limits));
  }

  async #main({ origin }: AnnouncementRequest, limits: ClipLimits): Promise<ArrivingClip> {
    const { library } = this.#options.places;
    if (origin.kind === 'live') {
      const { sound } = origin;
      // So that what comes a little late is not missing.
      await sound.lasts(livePlayableMs);
      return { sound, whole: sound.lasts(Number.POSITIVE_INFINITY) };
    }
    if (origin.kind === 'upload') return this.#decode(origin.bytes, limits);
    const { kind, value } = origin;
    if (kind === 'file') return complete(await library.open(value, limits));
    if (kind === 'url') return this.#fetch(value, limits);
    if (kind === 'text') return this.#speak(value, limits);
    const sound = isChime(value) ? await this.#chime(value) : silence();
    return { sound, whole: Promise.resolve() };
  }

  /** Each is made once. */
  #chime(name: ChimeName): Promise<Sound> {
    const sound = this.#chimes.get(name) ?? synthesizeChime(name);
    this.#chimes.set(name, sound);
    return sound;
  }

  async #fetch(url: string, limits: ClipLimits): Promise<ArrivingClip> {
    const { signal } = limits;
    const rules = new AddressRules(this.#options.settings().allowedHosts);
    return this.#inTurn(signal, async () => {
      const body = await openDownload(url, { rules, signal });
      return this.#arrive(new Arrival(body, limits), limits);
    });
  }

  async #speak(text: string, limits: ClipLimits): Promise<ArrivingClip> {
    return this.#inTurn(limits.signal, async () => {
      const giveBack = this.#place();
      try {
        const speech = speak(this.#options.settings().ttsCommand, text);
        const ended = async () => {
          const fault = await speech.end();
          giveBack();
          return fault;
        };
        try {
          const arrival = new Arrival(speech.output, { ...limits, firstByteMs: maxFirstByteMs });
          const { sound, whole } = await this.#arrive(arrival, limits);
          return { sound, whole: whole.finally(ended) };
        } catch (error) {
          const fault = await ended();
          throw fault === undefined ? error : speechFailed(fault);
        }
      } catch (error) {
        giveBack();
        throw error;
      }
    });
  }

  /** Each turn lasts until all has come. */
  async #inTurn(signal: AbortSignal, work: () => Promise<ArrivingClip>): Promise<ArrivingClip> {
    const done = await this.#turns.take(signal);
    try {
      const { sound, whole } = await work();
      return { sound, whole: whole.finally(done) };
    } catch (error) {
      done();
      throw error;
    }
  }

  async #arrive(arrival: Arrival, limits: ClipLimits): Promise<ArrivingClip> {
    try {
      const { bytes, isComplete } = await arrival.within(settleMs);
      if (isComplete) return await this.#decode(bytes, limits);
      return await decodeArriving(bytes, arrival, limits);
    } catch (error) {
      arrival.close();
      throw error;
    }
  }

  async #decode(bytes: Uint8Array, limits: ClipLimits): Promise<ArrivingClip> {
    const done = await this.#decodings.take(limits.signal);
    try {
      return complete(await this.#options.places.decoder.decode(bytes, limits));
    } finally {
      done();
    }
  }

  #place() {
    try {
      return this.#options.children.take();
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      throw new AnnounceError('busy', messageOf(error));
    }
  }
}

interface ClipLimits {
  readonly maxSeconds: number;
  readonly signal: AbortSignal;
}

interface ArrivingClip {
  readonly sound: Sound;
  readonly whole: Promise<unknown>;
}

function complete(audio: Parameters<typeof Sound.of>[0]): ArrivingClip {
  return { sound: Sound.of(audio), whole: Promise.resolve() };
}

function silence(): Sound {
  return Sound.of({ rateHz: 48_000, channels: 1, samples: new Float32Array() });
}
