import { resolve } from 'node:path';
import type { Chunk } from '../audio/chunk.ts';
import type { ChunkPool } from '../audio/chunk-pool.ts';
import { EncodeTurns } from '../audio/encode-turns.ts';
import { EncodedInput, type EncodedInputContext } from '../audio/encoded-input.ts';
import type { ChunkTiming } from '../audio/encoders/chunk-timing.ts';
import { parseCodec } from '../audio/encoders/codecs.ts';
import type { FileGate } from '../audio/sources/file-gate.ts';
import { openSource } from '../audio/sources/sources.ts';
import type { OpenSource, SourceSurroundings } from '../audio/sources/stream-source.ts';
import type { Stream, StreamState } from '../audio/stream.ts';
import {
  type CustomStreamOptions,
  customStreamOptions,
  parseStreamOptions,
  type StreamDefaults,
  type StreamOptions,
} from '../audio/stream-options.ts';
import { textOf } from '../audio/stream-parameters.ts';
import type { StreamProperties } from '../audio/stream-properties.ts';
import type { StreamTrouble } from '../audio/stream-trouble.ts';
import { formatStreamUri } from '../audio/stream-uri.ts';
import type { Clock } from '../base/clock.ts';
import { SourceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { OriginLink } from '../edge/origin-link.ts';
import type { RelayedInputContext } from '../edge/relayed-input.ts';
import { Broadcast, type BroadcastOptions } from '../transport/broadcast.ts';
import type { FanOut } from '../transport/fan-out.ts';
import { longestGroupMs } from '../transport/playability.ts';
import type { ControlScript, ControlScriptRequest, StartControlScript } from './control-script.ts';
import type { OpenedMeta } from './open-meta.ts';
import { allowedPrograms, allowedScript, checkDeviceName } from './sandbox.ts';
import { StreamChannel } from './stream-channel.ts';
import { timingProblem } from './stream-timing.ts';

export interface StreamFactoryOptions {
  readonly pool: ChunkPool;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly fanOut: FanOut;
  readonly settings: () => {
    /** What holds for streams whose address does not say otherwise. */
    readonly defaults: StreamDefaults;
    /** Where control scripts lie. */
    readonly pluginDir: string;
    /** Where the programs lie that controllers may have started. */
    readonly sandboxDir: string;
    /** Whether streams of controllers may ask hosts of the networks of this machine; absent: no. */
    readonly radioPrivate?: boolean;
  };
  readonly broadcast: () => BroadcastOptions;
  /** The way to the server of a stream that is passed on; `close` ends what is for this one alone. */
  readonly openLink?: (
    options: StreamOptions,
  ) => Promise<{ readonly link: OriginLink; readonly close?: (() => void) | undefined }>;
  /** It is to be replaced by one anew, as its codec is another one. */
  readonly onOutmoded?: (channel: StreamChannel) => void;
  /** Which files and pipes controllers may have read. */
  readonly fileGate: FileGate;
  readonly startControlScript: StartControlScript;
  /** What the sources of all streams share. */
  readonly surroundings?: SourceSurroundings;
  /** The stream is idle, plays, or cannot go on. */
  readonly onState: (channel: StreamChannel) => void;
  /** What it plays, or allows controllers to do, is something else now. */
  readonly onProperties: (channel: StreamChannel) => void;
  /** It could not deliver in time. */
  readonly onTrouble?: (streamId: string, trouble: StreamTrouble) => void;
}

export interface ChannelRequest {
  readonly options: StreamOptions;
  /** Not from a controller: programs and scripts may lie anywhere. */
  readonly isTrusted: boolean;
  /** Makes the source; absent: by the scheme of the address. */
  readonly createSource?: OpenSource;
  /** No caller waits for an answer: a control script that is not there may come later. */
  readonly isPatient?: boolean;
  /** The streams that a meta stream may be made of. */
  readonly others?: () => ReadonlyMap<string, StreamChannel>;
}

/** What a channel has beside its stream, if it has. */
interface Belongings {
  readonly script: string | undefined;
  readonly meta: OpenedMeta | undefined;
  readonly relay: Relay | undefined;
}

/** What comes of a stream that is passed on. */
type Outputs = Pick<RelayedInputContext, 'onChunk' | 'onState' | 'onOutmoded'>;

type Relay = (outputs: Outputs) => Stream;

const relayScheme = 'snap';

interface Script extends Pick<ControlScriptRequest, 'script' | 'onProperties'> {
  /** Its stream plays also without it. */
  readonly isPatient: boolean;
}

/** Others are told that they name none. */
function namesPath(scheme: string, path: string): boolean {
  return ['file', 'pipe'].includes(scheme) && !/^\/?$/.test(path);
}

/** Builds streams with all that belongs to them. */
export class StreamFactory {
  readonly #options: StreamFactoryOptions;
  readonly #turns = new EncodeTurns();

  constructor(options: StreamFactoryOptions) {
    this.#options = options;
  }

  /** Failure: throws a `SourceError` that says how to fix the address. */
  optionsOf(address: string): StreamOptions {
    return parseStreamOptions(address, this.#options.settings().defaults);
  }

  /** Failure: as `optionsOf`. */
  customOptions(custom: CustomStreamOptions): StreamOptions {
    return customStreamOptions(custom, this.#options.settings().defaults);
  }

  /** The same text for streams between which no listener could tell a difference. */
  signatureOf(options: StreamOptions): string {
    const { uri, format } = options;
    const script = textOf(uri, 'controlscript');
    return JSON.stringify({
      ...options,
      uri: formatStreamUri(uri),
      format: String(format),
      ...(script !== undefined && { script: resolve(this.#options.settings().pluginDir, script) }),
    });
  }

  /**
   * Builds a channel that is still to be started.
   *
   * Failure: rejects with a `SourceError` or `RpcError` when the address names a program, script,
   * file or pipe that may not be used.
   */
  async build(request: ChannelRequest): Promise<StreamChannel> {
    let channel: StreamChannel | undefined;
    const meta = await this.#metaOf(request, () => channel);
    const script = meta ? undefined : await this.#scriptOf(request);
    const confined = request.isTrusted ? request : await this.#confined(request);
    const relay = await this.#relayOf(request.options);
    channel = this.#wire(confined, { script, meta, relay });
    return channel;
  }

  /** What makes a stream that is passed on; `undefined` for others. */
  async #relayOf(options: StreamOptions): Promise<Relay | undefined> {
    const { openLink, pool, clock, logger } = this.#options;
    if (options.uri.scheme !== relayScheme || !openLink) return undefined;
    const { RelayedInput } = await import('../edge/relayed-input.ts');
    const { link, close: closeLink } = await openLink(options);
    const own = { pool, clock, logger, link, closeLink };
    return (outputs) => new RelayedInput(options, { ...own, ...outputs });
  }

  async #metaOf(
    { options, isPatient = false, others = () => new Map() }: ChannelRequest,
    channel: () => StreamChannel | undefined,
  ): Promise<OpenedMeta | undefined> {
    if (options.uri.scheme !== 'meta') return undefined;
    const { pool, clock, logger } = this.#options;
    const { openMeta } = await import('./open-meta.ts');
    return openMeta({
      ...{ options, pool, clock, logger: logger.tagged('Stream') },
      mayWait: isPatient,
      channels: others(),
      onProperties: (properties) => channel()?.takeSourceProperties(properties),
    });
  }

  /** What a controller asks for is looked at here, to tell it, and again when it is opened. */
  async #confined(request: ChannelRequest): Promise<ChannelRequest> {
    const { settings, fileGate } = this.#options;
    const { scheme, path } = request.options.uri;
    if (namesPath(scheme, path)) fileGate.checkPath(path);
    const device = textOf(request.options.uri, 'device');
    if (scheme === 'alsa' && device !== undefined) checkDeviceName(device);
    const uri = await allowedPrograms(request.options.uri, settings().sandboxDir);
    if (!uri) return request;
    return { ...request, createSource: (context) => openSource({ ...context, uri }) };
  }

  async #scriptOf(request: ChannelRequest): Promise<string | undefined> {
    const { options, isTrusted, isPatient = false } = request;
    const script = textOf(options.uri, 'controlscript');
    const { pluginDir } = this.#options.settings();
    return script === undefined
      ? undefined
      : allowedScript({ script, pluginDir, isTrusted, mayBeMissing: isPatient });
  }

  #wire(request: ChannelRequest, { script, meta, relay }: Belongings): StreamChannel {
    const { options, isPatient = false } = request;
    const { clock, logger, fanOut, onState, onProperties, onOutmoded } = this.#options;
    const createBroadcast = () => new Broadcast(fanOut, clock, this.#options.broadcast());
    const broadcast = createBroadcast();
    const outputs = {
      onChunk: (chunk: Chunk) => channel.publish(chunk),
      onState: (state: StreamState) => {
        logger.tagged('Stream').info('state changed', { stream: options.name, state });
        onState(channel);
      },
      onOutdated: () => broadcast.clear(),
      onOutmoded: () => onOutmoded?.(channel),
      onProperties: (properties: StreamProperties) => channel.takeSourceProperties(properties),
    };
    const stream =
      relay?.(outputs) ?? this.#encoded(request, { ...outputs, ...(meta && { feed: meta.feed }) });
    const channel: StreamChannel = new StreamChannel(stream, broadcast, {
      onProperties: () => onProperties(channel),
      createBroadcast,
      ...(meta && { children: meta.stream }),
      ...(script !== undefined && {
        startControlScript: (onProperties) =>
          this.#startControlScript(options, { script, isPatient, onProperties }),
      }),
    });
    return channel;
  }

  #encoded(
    { options, isTrusted, createSource }: ChannelRequest,
    outputs: Outputs & Pick<EncodedInputContext, 'onOutdated' | 'onProperties' | 'feed'>,
  ): Stream {
    const { pool, clock, logger, onTrouble, surroundings, fileGate, settings } = this.#options;
    const allowsPrivateHosts = () => settings().radioPrivate === true;
    return new EncodedInput(options, {
      ...outputs,
      pool,
      clock,
      logger,
      turns: this.#turns,
      onTiming: (timing) => this.#judge(options, timing),
      onTrouble: (trouble) => onTrouble?.(options.name, trouble),
      surroundings: isTrusted ? surroundings : { ...surroundings, fileGate, allowsPrivateHosts },
      ...(createSource && { createSource }),
    });
  }

  /**
   * Returns for how long audio may be collected, milliseconds.
   *
   * Failure: throws a `SourceError` when nothing of the stream would be played.
   */
  #judge(options: StreamOptions, timing: ChunkTiming): number {
    const { logger } = this.#options;
    const broadcast = this.#options.broadcast();
    const { caveat } = parseCodec(options.codec).codec;
    if (caveat !== undefined) {
      logger.tagged('Stream').notice('not for every player', { stream: options.name, caveat });
    }
    const problem = timingProblem(options, timing, broadcast);
    if (!problem) return longestGroupMs(timing, broadcast);
    const { plays, text, remedy } = problem;
    if (plays === 'nothing') throw new SourceError('unplayable-chunks', `${text}: ${remedy}`);
    logger.tagged('Stream').warn('audio may come too late', {
      stream: options.name,
      reason: text,
      remedy,
    });
    return 0;
  }

  /** Nothing when the script cannot be started, and the stream may do without it. */
  #startControlScript(
    { name: streamId, uri }: StreamOptions,
    { script, isPatient, onProperties }: Script,
  ): ControlScript | undefined {
    const { startControlScript, logger } = this.#options;
    const params = textOf(uri, 'controlscriptparams') ?? '';
    try {
      return startControlScript({ streamId, script, params, onProperties });
    } catch (error) {
      if (!isPatient || !(error instanceof SourceError)) throw error;
      const { message: reason } = error;
      logger.tagged('Stream').warn('stream has no control script', { stream: streamId, reason });
      return undefined;
    }
  }
}
