import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage, type OutgoingHttpHeaders, request as requestHttp } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { type Login, openAccess } from '../../src/auth/access.ts';
import { createAccess } from '../../src/auth/create-access.ts';
import type { ControlPeer } from '../../src/control/control-peer.ts';
import type { RpcAnswer, RpcCaller } from '../../src/control/rpc.ts';
import { HttpServer, type HttpServerOptions } from '../../src/http/http-server.ts';
import { ImageStore } from '../../src/streams/image-store.ts';
import type { Link } from '../../src/transport/link.ts';
import { controlPeerContext } from './control-limits.ts';
import { LogLines } from './log-lines.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly text: string;
}

export interface HttpQuestion {
  readonly path: string;
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

/** An HTTP server without the rest: records what it hands on, and answers what a test says. */
export class HttpRig {
  readonly server: HttpServer;
  readonly log: LogLines;
  readonly images: ImageStore;
  readonly requests: { text: string; caller: RpcCaller }[] = [];
  readonly sessions: { peer: ControlPeer; login: Login | undefined; texts: string[] }[] = [];
  readonly links: Link[] = [];
  /** What the next requests are answered. */
  reply: (text: string) => RpcAnswer = () => '{"reply":true}';

  static async open(options: Partial<HttpServerOptions> = {}): Promise<HttpRig> {
    const log = new LogLines();
    const images = new ImageStore();
    let rig: HttpRig | undefined;
    const server = await HttpServer.open({
      addresses: ['127.0.0.1'],
      port: 0,
      setting: 'http',
      logger: log,
      docRoot: '',
      web: true,
      settings: () => ({ allowedOrigins: [] }),
      access: openAccess,
      images,
      control: {
        handle: (request, caller) => rig?.handle(request, caller),
        accept: (peer, login) => rig?.accept(peer, login),
      },
      onStream: (link) => void rig?.links.push(link),
      taps: () => Promise.reject(new Error('this rig has no streams')),
      live: () => Promise.reject(new Error('this rig has no streams')),
      maxHeaderBytes: 16 * 1024,
      controlPeers: controlPeerContext(),
      ...options,
    });
    rig = new HttpRig(server, { log, images });
    return rig;
  }

  private constructor(server: HttpServer, { log, images }: { log: LogLines; images: ImageStore }) {
    this.server = server;
    this.log = log;
    this.images = images;
  }

  get port(): number {
    return this.server.port;
  }

  handle(request: string, caller: RpcCaller): RpcAnswer {
    this.requests.push({ text: request, caller });
    return this.reply(request);
  }

  accept(peer: ControlPeer, login: Login | undefined): void {
    const texts: string[] = [];
    this.sessions.push({ peer, login, texts });
    peer.open({
      isLoggedIn: () => true,
      onText: (text) => texts.push(text),
      onEnd: () => {},
      onClose: () => {},
    });
  }

  /** Asks on a connection of its own. */
  ask({ path, method = 'GET', headers = {}, body }: HttpQuestion): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const { port } = this;
      requestHttp({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
        buffer(response).then((bytes) => {
          const { statusCode: status = 0, headers: heard } = response;
          resolve({ status, headers: heard, body: bytes, text: bytes.toString() });
        }, reject);
      })
        .on('error', reject)
        .end(body);
    });
  }

  get(path: string, headers: OutgoingHttpHeaders = {}): Promise<HttpAnswer> {
    return this.ask({ path, headers });
  }

  post(body: string | Buffer, headers: OutgoingHttpHeaders = {}): Promise<HttpAnswer> {
    return this.ask({ path: '/jsonrpc', method: 'POST', headers, body });
  }

  /** Says `bytes` and collects what comes until the server closes the connection. */
  exchange(bytes: string | Buffer): Promise<string> {
    const socket = connect(this.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(bytes);
    return text(socket);
  }

  async close(): Promise<void> {
    await this.server.close();
    for (const { peer } of this.sessions) peer.close('end of test');
    for (const { socket } of this.links) socket.destroy();
  }
}

/** Access for `ann`, who may do all, `ben`, who may play only, and nobody else. */
export function closedAccess() {
  return createAccess({
    enabled: true,
    roles: ['all:*', 'player:Streaming'],
    users: ['ann:secret:all', 'ben:secret:player'],
  });
}

export function basic(user: string, password: string) {
  const credentials = Buffer.from(`${user}:${password}`).toString('base64');
  return { Authorization: `Basic ${credentials}` };
}

/** The head of a request for an upgrade, as a browser sends it. */
export function upgradeRequest(path: string, headers: Readonly<Record<string, string>> = {}) {
  const all = {
    Host: '127.0.0.1',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return [`GET ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n');
}

/** A folder of web pages beside a file that nobody may see. */
export class WebFolder {
  readonly root: string;
  readonly docRoot: string;

  static async make(files: Readonly<Record<string, string | Buffer>>): Promise<WebFolder> {
    const folder = new WebFolder(await mkdtemp(join(tmpdir(), 'zerocast-web-')));
    await folder.write('pages/index.html', '<!doctype html>index');
    for (const [name, content] of Object.entries(files)) await folder.write(name, content);
    return folder;
  }

  private constructor(root: string) {
    this.root = root;
    this.docRoot = join(root, 'pages');
  }

  /** Shape: `name` is below the folder in which `pages` is. */
  async write(name: string, content: string | Buffer): Promise<void> {
    const path = join(this.root, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }

  remove(): Promise<void> {
    return rm(this.root, { recursive: true });
  }
}
