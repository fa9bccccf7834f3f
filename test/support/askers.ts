import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { ControlClient } from './control-client.ts';
import { RawWebSocket } from './raw-web-socket.ts';
import type { TestServer } from './test-server.ts';
import { browserUpgrade } from './upgrade-requests.ts';
import { until } from './waiting.ts';

export type AskerKind = 'TCP' | 'WebSocket' | 'POST';

/** Somebody who asks the server, and what it was answered and told. */
export interface Asker {
  /** In order, without line endings. */
  readonly texts: readonly string[];
  /** Whether it is told what others do. */
  readonly isTold: boolean;
  /** Sends one request or batch. */
  ask(text: string): void;
  /** Sends exactly these bytes. Failure: throws an `Error` where there are no bare bytes. */
  say(bytes: string): void;
  /** Resolves when nothing is under way. */
  untilIdle(): Promise<void>;
  close(): void;
}

const connects: Readonly<Record<AskerKind, (server: TestServer) => Promise<Asker>>> = {
  TCP: byTcp,
  WebSocket: byWebSocket,
  POST: async (server) => byPost(server),
};

export function connectAsker(kind: AskerKind, server: TestServer): Promise<Asker> {
  return connects[kind](server);
}

async function byTcp(server: TestServer): Promise<Asker> {
  const client = await ControlClient.connect(server.controlPort);
  return {
    texts: client.inbox.texts,
    isTold: true,
    ask: (text) => client.send(`${text}\r\n`),
    say: (bytes) => client.send(bytes),
    untilIdle: async () => {},
    close: () => client.close(),
  };
}

/** Final, no extension, text. */
const textFrame = 0x81;

async function byWebSocket({ httpPort: port }: TestServer): Promise<Asker> {
  const texts: string[] = [];
  const origin = `http://127.0.0.1:${port}`;
  const upgrade = browserUpgrade({ path: '/jsonrpc', port, origin });
  const webSocket = await RawWebSocket.open(port, upgrade, ({ first, payload }) => {
    texts.push(first === textFrame ? payload.toString() : `a frame that begins with ${first}`);
  });
  return {
    texts,
    isTold: true,
    ask: (text) => webSocket.send(Buffer.from(text), 'text'),
    say: noBytes,
    untilIdle: async () => {},
    close: () => webSocket.close(),
  };
}

/** Each request comes on a connection of its own. */
function byPost({ httpPort: port }: TestServer): Asker {
  const texts: string[] = [];
  let underWay = 0;
  const options = { host: '127.0.0.1', port, path: '/jsonrpc', method: 'POST', agent: false };
  return {
    texts,
    isTold: false,
    ask: (body) => {
      underWay += 1;
      request(options, async (response) => {
        const answer = await text(response);
        const { statusCode, headers } = response;
        const kind = `${statusCode} ${headers['content-type']}`;
        if (kind !== '200 application/json') texts.push(`${kind} ${answer}`);
        else if (answer !== '') texts.push(answer);
        underWay -= 1;
      })
        .on('error', ({ message }) => texts.push(message))
        .end(body);
    },
    say: noBytes,
    untilIdle: () => until(() => underWay === 0, 'every POST is answered'),
    close: () => {},
  };
}

function noBytes(): never {
  throw new Error('only TCP has bare bytes: let this transcript be held over TCP alone');
}
