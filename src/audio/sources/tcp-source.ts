import { choiceOf, portOf } from '../stream-parameters.ts';
import type { SourceContext, StreamSource } from './stream-source.ts';
import { createTcpClientSource } from './tcp-client-source.ts';
import { createTcpServerSource } from './tcp-server-source.ts';

const defaultPort = 4953;

/** Receives PCM over TCP: `tcp://host[:port]?mode=server|client`. */
export function createTcpSource(context: SourceContext): StreamSource {
  const { uri } = context;
  const port = portOf(uri, 'port', defaultPort);
  const address = { hostname: uri.hostname, port: uri.port ?? port };
  return choiceOf(uri, 'mode', ['server', 'client']) === 'server'
    ? createTcpServerSource(context, address)
    : createTcpClientSource(context, address);
}
