import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Access, Login } from '../auth/access.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { ControlPeer, type ControlPeerContext } from '../control/control-peer.ts';
import { WebSocketControlWire } from '../control/web-socket-control-wire.ts';
import { SessionLog } from '../players/session-log.ts';
import type { Change } from '../streams/change.ts';
import { LiveSession } from './live-session.ts';
import type { LiveTopic } from './live-topic.ts';

/** The longest text of a viewer. */
export const maxLiveTextBytes = 64 * 1024;
/** A viewer for which more than this waits takes nothing: texts are never left out. */
const maxQueuedBytes = 1024 * 1024;

interface LiveServerOptions {
  readonly access: Access;
  readonly topics: readonly LiveTopic[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: () => { readonly loginTimeoutMs: number };
}

/** A connection that has become a WebSocket of a viewer. */
interface LiveConnection {
  readonly webSocket: WebSocket;
  /** The one below it. */
  readonly socket: Socket;
  /** What its request has shown. */
  readonly login: Login | undefined;
}

/** Keeps the viewers: they see what streams and players do at this moment. Source: docs/protocol.md, "Live". */
export class LiveServer {
  readonly #options: LiveServerOptions;
  readonly #sessionLog: SessionLog;
  readonly #sessions = new Set<LiveSession>();
  #lostFrames = 0;
  #isClosed = false;

  constructor(options: LiveServerOptions) {
    this.#options = options;
    this.#sessionLog = new SessionLog(options.logger);
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Left out, as their viewers were too slow. */
  get lostFrames(): number {
    return this.#lostFrames;
  }

  /** Ownership: takes over the WebSocket, which answers pings by itself. */
  accept({ webSocket, socket, login }: LiveConnection, controlPeers: ControlPeerContext): void {
    const { access, topics, clock, settings } = this.#options;
    const peer = new ControlPeer((one) => new WebSocketControlWire(webSocket, socket, one), {
      ...controlPeers,
      limits: { maxRequestBytes: maxLiveTextBytes, maxQueuedBytes },
    });
    if (this.#isClosed) {
      peer.close('the server stops');
      return;
    }
    const session = new LiveSession({
      peer,
      webSocket,
      login: login ?? access.anonymous,
      access,
      topics,
      nowUs: () => clock.nowUs(),
      loginTimeoutMs: settings().loginTimeoutMs,
      onLost: () => {
        this.#lostFrames += 1;
      },
      onClose: (reason, isFault) => {
        this.#sessions.delete(session);
        const level = isFault ? 'warn' : 'info';
        this.#log('closed', peer, { level, phrase: 'viewer disconnected', reason });
      },
    });
    this.#sessions.add(session);
    this.#log('created', peer, { level: 'info', phrase: 'viewer connected' });
    session.open();
  }

  /** Something about clients, groups or streams is different now. */
  changed(change: Change): void {
    for (const topic of this.#options.topics) topic.changed?.(change);
  }

  close(): void {
    this.#isClosed = true;
    for (const session of [...this.#sessions]) session.close('the server stops');
    this.#sessionLog.stop();
  }

  #log(
    event: 'created' | 'closed',
    { remoteAddress: address }: ControlPeer,
    line: { readonly level: 'info' | 'warn'; readonly phrase: string; readonly reason?: string },
  ): void {
    const { level, phrase, reason } = line;
    const fields = { address, ...(reason !== undefined && { reason }) };
    this.#sessionLog.add(event, address, { level, phrase, fields });
  }
}
