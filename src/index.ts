export { ConfigError, RpcError, SourceError, ZerocastError } from './base/errors.ts';
export type { Logger } from './base/logger.ts';
export type { ServerEvents, ServerListener } from './embed/server-events.ts';
export type { ServerOptions } from './embed/server-options.ts';
export type { ClientStatus, StreamStatus } from './embed/server-status.ts';
export {
  type CustomStream,
  createServer,
  type ServerPorts,
  type ZerocastServer,
} from './embed/zerocast-server.ts';
