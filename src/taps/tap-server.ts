import type { WebSocket } from 'ws';
import type { ChunkPool } from '../audio/chunk-pool.ts';
import type { Stream } from '../audio/stream.ts';
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Dsp } from '../dsp/dsp.ts';
import { closeCode } from '../protocol/web-socket-frame.ts';
import { openMelFeed } from './mel-feed.ts';
import { openPcmFeed } from './pcm-feed.ts';
import { TapError } from './tap-error.ts';
import type { TapFeed, TapFeedContext } from './tap-feed.ts';
import { tapHeaderBytes } from './tap-frame.ts';
import { parseTapRequest, type TapRequest } from './tap-request.ts';
import { TapSession } from './tap-session.ts';

interface TapServerOptions {
  readonly streamOf: (id: string) => Stream | undefined;
  readonly pool: ChunkPool;
  readonly clock: Clock;
  readonly dsp: () => Promise<Dsp>;
  readonly logger: Logger;
  readonly settings: () => { readonly peerTimeoutMs: number };
}

/** A tap that can be had. */
export interface TapPlan {
  readonly stream: Stream;
  readonly request: TapRequest;
}

/** A feed with those that get its frames. */
interface SharedFeed extends TapPlan {
  readonly feed: TapFeed;
  readonly sessions: Set<TapSession>;
}

/** Lets programs listen to what streams play: PCM, or what of it is computed once for all of them. */
export class TapServer {
  readonly #options: TapServerOptions;
  readonly #sessions = new Set<TapSession>();
  readonly #feeds = new Map<string, SharedFeed>();
  #lostFrames = 0;
  #isClosed = false;

  constructor(options: TapServerOptions) {
    this.#options = options;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Left out, as their peers were too slow. */
  get lostFrames(): number {
    return this.#lostFrames;
  }

  /** Failure: throws a `TapError` when there is no such stream, or it cannot give what is asked for. */
  plan(streamId: string, query: string): TapPlan {
    const stream = this.#options.streamOf(streamId);
    if (!stream) {
      throw new TapError(
        'no-stream',
        `There is no stream "${streamId}": Server.GetStatus lists all`,
      );
    }
    if (!stream.stages) {
      const reason = 'is disabled, or its audio is not at hand: the log says why';
      throw new TapError('no-audio', `The stream "${streamId}" ${reason}`);
    }
    return { stream, request: parseTapRequest(query, stream.format) };
  }

  /** Ownership: takes over the WebSocket. */
  async accept(webSocket: WebSocket, plan: TapPlan, isPermitted: () => boolean): Promise<void> {
    const { clock, settings, logger } = this.#options;
    const session: TapSession = new TapSession({
      webSocket,
      isPermitted,
      nowUs: () => clock.nowUs(),
      peerTimeoutMs: () => settings().peerTimeoutMs,
      onLost: (frames) => {
        this.#lostFrames += frames;
      },
      onClose: () => this.#remove(session),
    });
    this.#sessions.add(session);
    try {
      await this.#connect(session, plan);
    } catch (error) {
      logger.error('a tap failed', { stream: plan.stream.id, reason: messageOf(error) });
      session.close(closeCode.internalError, 'the server failed: its log says why');
    }
  }

  /** Ends the taps of streams that are gone or cannot go on. */
  streamsChanged(): void {
    for (const [key, shared] of this.#feeds) {
      if (this.#isPresent(shared.stream)) continue;
      this.#stop(key, shared);
      for (const session of shared.sessions) this.#bidFarewell(session);
    }
  }

  /** Resolves when no frame is under way any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const [key, shared] of this.#feeds) this.#stop(key, shared);
    const sessions = [...this.#sessions];
    for (const session of sessions) this.#bidFarewell(session);
    await Promise.all(sessions.map((session) => session.closed));
  }

  async #connect(session: TapSession, plan: TapPlan): Promise<void> {
    const key = JSON.stringify([plan.stream.id, plan.request]);
    const made = this.#feeds.get(key) ?? (await this.#open(plan));
    // Another one that wants the same may have been faster, and the stream may be another one.
    const shared = this.#feeds.get(key) ?? made;
    if (session.isClosed) return;
    if (this.#isClosed || !this.#isPresent(shared.stream)) {
      this.#bidFarewell(session);
      return;
    }
    const { stream, feed, sessions } = shared;
    session.tell({
      stream: stream.id,
      version: 1,
      ...feed.format,
      headerBytes: tapHeaderBytes,
      bufferMs: stream.options.bufferMs,
      serverUs: this.#options.clock.nowUs(),
    });
    sessions.add(session);
    if (sessions.size === 1) this.#start(key, shared);
  }

  async #open({ stream, request }: TapPlan): Promise<SharedFeed> {
    const sessions = new Set<TapSession>();
    const context: TapFeedContext = {
      stream,
      pool: this.#options.pool,
      dsp: await this.#options.dsp(),
      emit: (frame, count) => {
        const { payload } = frame;
        for (const session of sessions) session.deliver(frame, payload, count);
        frame.release();
      },
    };
    const feed = await (request.as === 'pcm'
      ? openPcmFeed(request, context)
      : openMelFeed(request, context));
    return { stream, request, feed, sessions };
  }

  #start(key: string, shared: SharedFeed): void {
    const { stream, feed } = shared;
    this.#feeds.set(key, shared);
    stream.stages?.observe(feed.observer);
    stream.addPcmListener?.();
  }

  #stop(key: string, { stream, feed }: SharedFeed): void {
    this.#feeds.delete(key);
    stream.stages?.unobserve(feed.observer);
    stream.removePcmListener?.();
  }

  #remove(session: TapSession): void {
    this.#sessions.delete(session);
    for (const [key, shared] of this.#feeds) {
      if (shared.sessions.delete(session) && shared.sessions.size === 0) this.#stop(key, shared);
    }
  }

  #isPresent(stream: Stream): boolean {
    return stream.stages !== undefined && this.#options.streamOf(stream.id) === stream;
  }

  #bidFarewell(session: TapSession): void {
    const reason = this.#isClosed
      ? 'the server stops'
      : 'the stream was removed, replaced or disabled: connect again';
    session.close(closeCode.goingAway, reason);
  }
}
