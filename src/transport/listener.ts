import { createServer, type Server, type ServerOpts, type Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { ConfigError, codeOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { NativeAddon } from '../base/native/native-addon.ts';
import { LogLimiter } from '../base/time/log-limiter.ts';
import type { Admit } from './admission.ts';
import { BatchAcceptor } from './batch-acceptor.ts';

export interface ListenerOptions {
  readonly addresses: readonly string[];
  readonly port: number;
  /** Names the setting in messages, for example `tcp-streaming`. */
  readonly setting: string;
  readonly logger: Logger;
  /** Makes the server of one address; the listener binds and closes it. */
  readonly createServer: (options: ServerOpts) => Server;
  /** What connections pass before the server hears of them; absent: they are let in at once. */
  readonly admit?: Admit | undefined;
  /** Accepts in the place of the server, many connections at a time; absent: Node does. */
  readonly Acceptor?: NativeAddon['Acceptor'] | undefined;
}

/** One address of a port. */
interface Binding {
  readonly port: number;
  close(): void;
}

/** Makes servers that hand on plain sockets: `onConnection` begins to read. */
export function socketServers(onConnection: (socket: Socket) => void) {
  return (options: ServerOpts) => createServer({ ...options, pauseOnConnect: true }, onConnection);
}

/** One port on all its addresses. */
export class Listener {
  readonly #bindings: Binding[] = [];

  /** Failure: rejects with a `ConfigError` when an address cannot be bound; nothing stays open. */
  static async open(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener();
    try {
      for (const address of withoutCovered(options.addresses)) {
        // Port 0 is chosen by the system once, for all addresses.
        const port = options.port || listener.port;
        listener.#bindings.push(await bind(address, { ...options, port }));
      }
    } catch (error) {
      await listener.close();
      throw error;
    }
    return listener;
  }

  /** The port really bound: differs from the one asked for when that was 0. */
  get port(): number {
    return this.#bindings[0]?.port ?? 0;
  }

  /** Stops to accept; connections that exist are not touched. */
  async close(): Promise<void> {
    // A closing server waits for its connections, which are closed by their owners.
    for (const binding of this.#bindings.splice(0)) binding.close();
  }
}

/** `::` takes all addresses, so that a second one beside it would find the port in use. */
function withoutCovered(addresses: readonly string[]): readonly string[] {
  return addresses.includes('::') ? ['::'] : [...new Set(addresses)];
}

async function bind(address: string, options: ListenerOptions): Promise<Binding> {
  const { logger, port } = options;
  try {
    return await listen(address, options);
  } catch (error) {
    const code = codeOf(error);
    if (address === '::' && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL')) {
      logger.warn('no IPv6 on this machine, listening on IPv4 only', { port });
      return bind('0.0.0.0', options);
    }
    throw new ConfigError('bind', describe(address, options, code || String(error)), {
      cause: error,
    });
  }
}

function listen(address: string, options: ListenerOptions): Promise<Binding> {
  const { admit } = options;
  const server = options.createServer({ noDelay: true });
  if (admit) putInFront(server, admit);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port: options.port, backlog: 1024 }, () => {
      server.off('error', reject);
      try {
        resolve(bindingOf(server, options));
      } catch (error) {
        server.close();
        reject(error);
      }
    });
  });
}

function bindingOf(server: Server, { Acceptor, logger }: ListenerOptions): Binding {
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  // A machine without free descriptors would log each refused connection.
  const limiter = new LogLimiter();
  const onError = (reason: string) => {
    if (limiter.allows()) logger.warn('a connection could not be accepted', { port, reason });
  };
  server.on('error', (error) => onError(error.message));
  if (!Acceptor) return { port, close: () => server.close() };
  const acceptor = new BatchAcceptor(server, Acceptor, (error) =>
    onError(`accept ${getSystemErrorName(-error)}`),
  );
  return { port, close: () => acceptor.close() };
}

/** Servers of HTTP and TLS begin with a connection by this event, as those for plain sockets do. */
function putInFront(server: Server, admit: Admit): void {
  const own = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket) =>
    admit(socket, () => {
      for (const listener of own) Reflect.apply(listener, server, [socket]);
    }),
  );
}

const hints = new Map([
  ['EADDRINUSE', 'another program (a second server?) uses it: stop that or choose another port'],
  ['EACCES', 'ports below 1024 need root: choose a higher port'],
  ['EADDRNOTAVAIL', 'this machine has no such address: correct bind_to_address'],
  ['ENOTFOUND', 'the name is unknown: correct bind_to_address'],
]);

function describe(address: string, options: ListenerOptions, code: string): string {
  const { setting, port } = options;
  const hint = hints.get(code) ?? 'correct bind_to_address or port';
  return `[${setting}] cannot listen on ${address} port ${port} (${code}): ${hint}`;
}
