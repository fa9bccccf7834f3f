import type { GiveBack } from '../../../base/children/child-places.ts';
import { codeOf } from '../../../base/errors.ts';
import { within } from '../../../base/time/within.ts';
import type { Buffering } from '../../buffering.ts';
import { arrivingFrameBytes } from '../../int24.ts';
import { ResyncLog } from '../../resync-log.ts';
import type { SampleFormat } from '../../sample-format.ts';
import { noProperties, withFault } from '../../stream-properties.ts';
import { Demand } from '../demand.ts';
import type { SourceContext, SourceSink, StreamSource } from '../stream-source.ts';
import { addressRulesOf, faultText } from '../url-access.ts';
import { IcySplitter, type IcyTitle } from './icy-titles.ts';
import { Prebuffer } from './prebuffer.ts';
import { leastPrebufferMs, type RadioAddress } from './radio-address.ts';
import { type RadioCodec, RadioDecoder } from './radio-decoder.ts';
import {
  findStation,
  lastingFaults,
  maxSilenceMs,
  type PieceList,
  type Station,
  StationError,
  type StationFacts,
} from './station.ts';
import { TitleQueue } from './title-queue.ts';

const firstRetryMs = 1000;
const slowestRetryMs = 60_000;
/** A station that was heard for so long was well: the next attempt comes soon. */
const healthyMs = 10_000;
/** Less PCM than this is filled up first. */
const leastMs = 250;
/** And so much more than the prebuffer is decoded ahead, at least a chunk. */
const aheadMs = 1500;
/** What is decoded at a time can be so long. */
const spareMs = 1000;
const maxPrebufferBytes = 16 * 1024 * 1024;

const codecsByType: readonly (readonly [RegExp, RadioCodec])[] = [
  [/^audio\/(?:x-)?(?:mpeg|mp3)$/i, 'mp3'],
  [/^audio\/(?:x-)?aacp?$/i, 'aac'],
  [/^(?:application|audio)\/(?:x-)?(?:ogg|opus)$/i, 'ogg'],
  [/^audio\/(?:x-)?flac$/i, 'flac'],
];

interface Run {
  readonly prebuffer: Prebuffer;
  readonly signal: AbortSignal;
}

interface RadioPlayerOptions {
  readonly address: RadioAddress;
  /** Where `ffmpeg` lies. */
  readonly program: string;
  readonly lingerMs: number | undefined;
  readonly giveBackPlace: GiveBack | undefined;
}

/** Keeps connected to a station while it is to be heard, and gives out what that plays. */
export class RadioPlayer implements StreamSource {
  readonly format: SampleFormat;
  readonly packed24: boolean;
  readonly #context: SourceContext;
  readonly #options: RadioPlayerOptions;
  readonly #demand: Demand;
  readonly #shortLog: ResyncLog;
  readonly #titles: TitleQueue;
  #sink: SourceSink | undefined;
  #target: Uint8Array | undefined;
  #prebuffer: Prebuffer | undefined;
  #decoder: RadioDecoder | undefined;
  #about: StationFacts = {};
  #connections = 0;
  #shortages = 0;
  #ending = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** The fault that was logged last: the same one is not logged each time. */
  #loggedFault = '';

  constructor(context: SourceContext, options: RadioPlayerOptions) {
    const { format, bufferMs, logger, uri } = context;
    this.format = format;
    this.packed24 = format.bits === 24;
    this.#context = context;
    this.#options = options;
    this.#demand = new Demand(options.lingerMs, {
      start: () => this.#begin(),
      stop: () => this.#end(),
    });
    this.#shortLog = new ResyncLog(logger, uri.query.name ?? '');
    this.#titles = new TitleQueue({ delayMs: bufferMs, tell: (title) => this.#tell(title) });
  }

  start(sink: SourceSink): void {
    this.#sink = sink;
    this.#demand.open();
  }

  listen(isListened: boolean): void {
    this.#demand.listen(isListened);
  }

  read(target: Uint8Array): void {
    this.#target = target;
    this.#prebuffer?.read(target);
  }

  capacityBytes(): number {
    return this.#bytesIn(this.#prebufferMs);
  }

  get buffering(): Buffering {
    const bufferedMs = this.#msIn(this.#prebuffer?.keptBytes ?? 0);
    return { connections: this.#connections, shortages: this.#shortages, bufferedMs };
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
    await this.#demand.close();
    this.#options.giveBackPlace?.();
  }

  #begin(): void {
    this.#ending = new AbortController();
    this.#prebuffer = this.#openPrebuffer();
    if (this.#target) this.#prebuffer.read(this.#target);
    this.#running = this.#keepConnected(this.#prebuffer, this.#ending.signal);
  }

  async #end(): Promise<void> {
    this.#prebuffer?.close();
    this.#prebuffer = undefined;
    this.#titles.clear();
    this.#ending.abort();
    this.#sink?.interrupted('nobody listens');
    await this.#running;
    this.#sink?.properties(noProperties);
  }

  #openPrebuffer(): Prebuffer {
    const prebufferMs = this.#prebufferMs;
    return new Prebuffer({
      frameBytes: this.#frameBytes,
      startBytes: this.#bytesIn(prebufferMs),
      leastBytes: this.#bytesIn(leastMs),
      capacityBytes: this.#bytesIn(prebufferMs + aheadMs + spareMs),
      onRead: (readBytes) => {
        this.#target = undefined;
        this.#titles.readUpTo(readBytes);
        this.#decoder?.goOn();
      },
      onFilled: () => this.#sink?.filled(),
      onEmpty: (reason) => this.#sink?.interrupted(reason),
      onShort: (keptBytes) => {
        this.#shortages += 1;
        const bufferedMs = Math.round(this.#msIn(keptBytes));
        this.#shortLog.tell('the station is too slow, buffering', { bufferedMs });
      },
    });
  }

  /** Connects again whenever a connection ends, later and later. */
  async #keepConnected(prebuffer: Prebuffer, signal: AbortSignal): Promise<void> {
    const stopped = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    );
    let retryMs = firstRetryMs;
    while (!signal.aborted) {
      const startedMs = performance.now();
      const fault = await this.#play(prebuffer, signal).catch((error: unknown) => error);
      if (signal.aborted) return;
      if (performance.now() - startedMs >= healthyMs) retryMs = firstRetryMs;
      if (lastingFaults.has(codeOf(fault))) retryMs = slowestRetryMs;
      this.#complain(fault, retryMs);
      await within(stopped, retryMs);
      retryMs = Math.min(2 * retryMs, slowestRetryMs);
    }
  }

  /** Plays one connection to its end. Failure: rejects with what ended it, or by the signal. */
  async #play(prebuffer: Prebuffer, signal: AbortSignal): Promise<never> {
    const { address } = this.#options;
    const rules = addressRulesOf(this.#context);
    const found = await findStation(address.url, { ...address, rules, signal });
    if ('listUrl' in found && !rules.permitsAll) {
      throw new StationError(
        'private-address',
        'its pieces (HLS) are fetched by ffmpeg, which may be led to private addresses',
      );
    }
    const decoder = await this.#startDecoder(found, { prebuffer, signal }).catch(
      (error: unknown) => {
        if ('body' in found) found.body.close();
        throw error;
      },
    );
    this.#decoder = decoder;
    prebuffer.feed(true);
    try {
      this.#connected(found);
      if ('listUrl' in found) await decoder.untilSilent(maxSilenceMs);
      else await this.#decode(found, { prebuffer, decoder });
    } finally {
      if (!signal.aborted) await decoder.flush();
      this.#decoder = undefined;
      await decoder.finish();
      prebuffer.feed(false);
    }
    throw new StationError('cut', 'the station has ended the connection');
  }

  #startDecoder(found: Station | PieceList, { prebuffer, signal }: Run): Promise<RadioDecoder> {
    const { program, address } = this.#options;
    const fullBytes = this.#bytesIn(this.#prebufferMs + aheadMs);
    const byType = (type: string) => codecsByType.find(([pattern]) => pattern.test(type))?.[1];
    const { userAgent } = address;
    return RadioDecoder.start({
      ...{ program, prebuffer, signal, format: this.format },
      input:
        'listUrl' in found
          ? { ...found, userAgent }
          : { codec: address.codec ?? byType(found.type) },
      isFull: () => prebuffer.keptBytes >= fullBytes,
    });
  }

  async #decode(
    { body, metadataIntervalBytes }: Station,
    { prebuffer, decoder }: { readonly prebuffer: Prebuffer; readonly decoder: RadioDecoder },
  ): Promise<void> {
    const splitter =
      metadataIntervalBytes > 0
        ? new IcySplitter(metadataIntervalBytes, (title) =>
            this.#titles.add(title, prebuffer.writtenBytes),
          )
        : undefined;
    try {
      for (;;) {
        const piece = await body.next(maxSilenceMs);
        if (!piece) return;
        for (const audio of splitter?.split(piece) ?? [piece]) await decoder.decode(audio);
      }
    } finally {
      body.close();
    }
  }

  #connected(found: Station | PieceList): void {
    this.#connections += 1;
    const { logger, uri } = this.#context;
    this.#about = 'about' in found ? found.about : {};
    const facts = 'listUrl' in found ? { type: 'HLS' } : { type: found.type, ...found.about };
    logger.info('connected to station', { stream: uri.query.name, ...facts });
    this.#loggedFault = '';
    this.#tell({});
  }

  #complain(fault: unknown, retryMs: number): void {
    const reason = faultText(fault);
    const { logger, uri } = this.#context;
    const severity = reason === this.#loggedFault ? 'debug' : 'warn';
    logger[severity]('station not heard', { stream: uri.query.name, reason, retryMs });
    this.#loggedFault = reason;
    this.#tell({}, reason);
  }

  #tell({ title, artist }: IcyTitle, fault?: string): void {
    const { name, genre, url } = this.#about;
    const properties = {
      ...noProperties,
      metadata: {
        ...(title && { title }),
        ...(artist && { artist: [artist] }),
        ...(name && { album: name }),
        ...(genre && { genre: [genre] }),
        ...(url && { url }),
      },
    };
    this.#sink?.properties(fault ? withFault(properties, fault) : properties);
  }

  /** As the address says, as long as that takes no more memory than there is for it. */
  get #prebufferMs(): number {
    const mostMs = maxPrebufferBytes / (this.#bytesIn(1000) / 1000) - aheadMs - spareMs;
    return Math.min(this.#options.address.prebufferMs, Math.max(leastPrebufferMs, mostMs));
  }

  get #frameBytes(): number {
    return arrivingFrameBytes(this.format, this.packed24);
  }

  #msIn(bytes: number): number {
    return (1000 * bytes) / this.#bytesIn(1000);
  }

  #bytesIn(ms: number): number {
    return this.format.framesIn(ms) * this.#frameBytes;
  }
}
