import type { WebSocket } from 'ws';
import type { Access, Login } from '../auth/access.ts';
import { messageOf, RpcError } from '../base/errors.ts';
import { isObject, type JsonObject } from '../base/files/json-fields.ts';
import { cutText, parseJson } from '../base/foreign-text.ts';
import { ControlMessage, type ControlPeer } from '../control/control-peer.ts';
import { closeCode } from '../protocol/web-socket-frame.ts';
import {
  type BeginWatch,
  LiveRequestError,
  type LiveTopic,
  type LiveViewer,
} from './live-topic.ts';

/** What is to be seen of streams and players while they play. */
export const livePermission = 'Live';
/** While more than this waits for a viewer, frames are left out for it. */
const maxUnsentBytes = 64 * 1024;
/** In one text, each of which is answered. */
const maxRequests = 16;
/** Of a request, as it is told to the viewer again. */
const maxNameLength = 64;

const binaryFrame = { binary: true, compress: false };

interface LiveSessionOptions {
  readonly peer: ControlPeer;
  /** The one of `peer`, for frames. */
  readonly webSocket: WebSocket;
  /** Absent: it has to log in first. */
  readonly login: Login | undefined;
  readonly access: Access;
  readonly topics: readonly LiveTopic[];
  readonly nowUs: () => number;
  /** A viewer that has to log in and does not within this time is closed. */
  readonly loginTimeoutMs: number;
  /** A frame was left out. */
  readonly onLost: () => void;
  /** Called exactly once. */
  readonly onClose: (reason: string, isFault: boolean) => void;
}

/** One viewer: what it asks for begins, and ends with it. */
export class LiveSession implements LiveViewer {
  readonly #options: LiveSessionOptions;
  #login: Login | undefined;
  #loginTimer: NodeJS.Timeout | undefined;
  /** Of the present watch. */
  #ends: readonly (() => void)[] = [];
  #isClosed = false;

  constructor(options: LiveSessionOptions) {
    this.#options = options;
    this.#login = options.login;
  }

  get isBehind(): boolean {
    return this.#options.webSocket.bufferedAmount > maxUnsentBytes;
  }

  permits(permission: string): boolean {
    return this.#login?.permits(permission) ?? false;
  }

  /** Begins to read. */
  open(): void {
    const { peer, loginTimeoutMs } = this.#options;
    if (!this.#login) {
      this.#loginTimer = setTimeout(() => {
        if (!this.#login) peer.close(`no login within ${loginTimeoutMs} ms`);
      }, loginTimeoutMs);
    }
    peer.open({
      isLoggedIn: () => this.#login !== undefined,
      onText: (text) => this.#onText(text),
      onEnd: () => peer.close('closed by the peer'),
      onClose: (reason, isFault) => this.#gone(reason, isFault),
    });
  }

  tell(message: JsonObject): void {
    if (this.#mayHear()) this.#send(message);
  }

  show(frame: Uint8Array): void {
    if (!this.#mayHear()) return;
    if (this.isBehind) this.#options.onLost();
    else this.#options.webSocket.send(frame, binaryFrame);
  }

  close(reason: string): void {
    this.#options.peer.close(reason);
  }

  #send(message: JsonObject): void {
    this.#options.peer.send(new ControlMessage(JSON.stringify(message)));
  }

  /** Asked each time, as a login can lose what it was permitted. */
  #mayHear(): boolean {
    if (this.#isClosed) return false;
    if (this.permits(livePermission)) return true;
    this.#options.webSocket.close(closeCode.policyViolation, 'the login does not hold any more');
    this.close('its login does not hold any more');
    return false;
  }

  #gone(reason: string, isFault: boolean): void {
    this.#isClosed = true;
    clearTimeout(this.#loginTimer);
    for (const end of this.#ends) end();
    for (const topic of this.#options.topics) topic.left?.(this);
    this.#options.onClose(reason, isFault);
  }

  #onText(text: string): void {
    let requests: unknown;
    try {
      requests = parseJson(text);
    } catch {
      requests = undefined;
    }
    if (!isObject(requests)) {
      this.#refuse('', 'this is no JSON object: ask as in {"watch":{"meters":"*"}}');
      return;
    }
    const asked = Object.entries(requests);
    if (asked.length > maxRequests)
      this.#refuse('', `one text has at most ${maxRequests} requests`);
    else for (const [name, value] of asked) this.#ask(name, value);
  }

  #ask(name: string, value: unknown): void {
    if (this.#isClosed) return;
    if (name === 'login') {
      void this.#logIn(value);
      return;
    }
    if (!this.#login) {
      this.#refuse(name, 'log in first: {"login":{"scheme":"Basic","param":"…"}}');
      return;
    }
    if (!this.#mayHear()) return;
    try {
      this.#answer(name, value);
    } catch (error) {
      if (!(error instanceof LiveRequestError)) throw error;
      this.#refuse(name, error.message);
    }
  }

  #answer(name: string, value: unknown): void {
    if (name === 'time') this.#tellTime(value);
    else if (name === 'watch') this.#watch(value);
    else {
      const { topics } = this.#options;
      const request = topics.flatMap(({ requests }) => requests?.get(name) ?? [])[0];
      if (!request)
        throw new LiveRequestError('this is unknown here: ask for watch, time or login');
      request(value, this);
    }
  }

  #tellTime(time: unknown): void {
    const serverUs = this.#options.nowUs();
    if (typeof time !== 'number') throw new LiveRequestError('ask as in {"time":1}');
    this.#send({ time, serverUs });
  }

  #watch(wanted: unknown): void {
    const { topics } = this.#options;
    if (!isObject(wanted)) throw new LiveRequestError('ask as in {"watch":{"meters":"*"}}');
    const known = topics.flatMap(({ members }) => members);
    const stranger = Object.keys(wanted).find((name) => !known.includes(name));
    if (stranger !== undefined) {
      const named = cutText(stranger, maxNameLength);
      throw new LiveRequestError(`"${named}" is unknown: a watch has ${known.join(', ')}`);
    }
    const plans = topics.flatMap((topic) => topic.plan(wanted) ?? []);
    this.#follow(plans);
  }

  /** What goes on is not begun anew. */
  #follow(plans: readonly BeginWatch[]): void {
    const begun = plans.map((begin) => begin(this));
    const ended = this.#isClosed ? begun : this.#ends;
    if (!this.#isClosed) this.#ends = begun;
    for (const end of ended) end();
  }

  /** Other requests wait until it is decided. */
  async #logIn(value: unknown): Promise<void> {
    const { access, peer } = this.#options;
    const { scheme, param } = isObject(value) ? value : {};
    if (typeof scheme !== 'string' || typeof param !== 'string') {
      this.#refuse('login', 'log in as in {"login":{"scheme":"Basic","param":"…"}}');
      return;
    }
    peer.pause();
    try {
      const login = access.anonymous ?? (await access.login({ scheme, param }, peer.remoteAddress));
      if (login.permits(livePermission)) {
        this.#login = login;
        this.#send({ login: { user: login.user } });
      } else this.#refuse('login', `the role needs the permission ${livePermission}`);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      this.#refuse('login', messageOf(error));
    }
    peer.resume();
  }

  #refuse(request: string, message: string): void {
    this.#send({ error: { request: cutText(request, maxNameLength), message } });
  }
}
