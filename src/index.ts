export { ConfigError, RpcError, SourceError, ZerocastError } from './errors.ts';
export type { ServerEvents, ServerListener } from './library/server-events.ts';
export type { ServerOptions } from './library/server-options.ts';
export type { ClientStatus, StreamStatus } from './library/server-status.ts';
export {
  type CustomStream,
  createServer,
  type ServerPorts,
  type ZerocastServer,
} from './library/zerocast-server.ts';
export type { Logger } from './logger.ts';
