import { list, scalar } from './setting.ts';
import { address, anyText, hostName, integer, origin, port, truth } from './value-parser.ts';

const bindDoc = 'Address to listen on; :: means every address, IPv4 included.';

/** The sections of everything that listens. */
export const listenerSettings = {
  http: {
    enabled: scalar({
      default: 'true',
      parser: truth,
      doc: 'Control by HTTP and WebSocket, web pages, and audio for browsers.',
    }),
    bind_to_address: list({ default: ['::'], parser: address, doc: bindDoc }),
    port: scalar({ default: '1780', parser: port, doc: 'Port for HTTP.' }),
    publish_http: scalar({
      default: 'true',
      parser: truth,
      doc: 'Whether the HTTP service is announced by mDNS.',
    }),
    ssl_enabled: scalar({
      default: 'false',
      parser: truth,
      doc: 'Whether HTTPS is served too; needs a certificate in [ssl].',
    }),
    ssl_bind_to_address: list({ default: ['::'], parser: address, doc: bindDoc }),
    ssl_port: scalar({ default: '1788', parser: port, doc: 'Port for HTTPS.' }),
    publish_https: scalar({
      default: 'true',
      parser: truth,
      doc: 'Whether the HTTPS service is announced by mDNS.',
    }),
    doc_root: scalar({
      isLive: true,
      default: '',
      parser: anyText,
      doc: 'Folder of web pages to serve instead of the built-in one, for example /usr/share/snapweb.',
    }),
    web: scalar({
      isLive: true,
      default: 'true',
      parser: truth,
      doc: 'Whether the built-in web page is served where doc_root names no other.',
    }),
    host: scalar({
      isLive: true,
      default: '<hostname>',
      parser: hostName,
      doc: 'Name of this machine in the addresses of cover art; <hostname> is filled in.',
    }),
    url_prefix: scalar({
      isLive: true,
      default: '',
      parser: anyText,
      doc: 'Replaces scheme, host and port in the addresses of cover art, for example behind a proxy.',
    }),
    allowed_origin: list({
      isLive: true,
      default: [],
      parser: origin,
      doc:
        'Web pages of this origin may control the server too, for example http://mopidy:6680; * ' +
        'allows all. Pages of this machine always may, on any port, when it is called by address, ' +
        'by a name of the local network, by its host name, or by host or url_prefix above.',
    }),
    metrics: scalar({
      isLive: true,
      default: 'true',
      parser: truth,
      doc: 'Whether GET /metrics gives figures in the format of Prometheus.',
    }),
    metrics_per_client: scalar({
      isLive: true,
      default: 'true',
      parser: truth,
      doc: 'Whether these figures include some for every single client.',
    }),
    metrics_levels: scalar({
      isLive: true,
      default: 'false',
      parser: truth,
      doc:
        'Whether these figures include peak and loudness of every stream, which are measured as long ' +
        'as a program asks for the figures at least every ten minutes.',
    }),
  },
  'tcp-control': {
    enabled: scalar({
      default: 'true',
      parser: truth,
      doc: 'Control by JSON-RPC over TCP.',
    }),
    bind_to_address: list({ default: ['::'], parser: address, doc: bindDoc }),
    port: scalar({ default: '1705', parser: port, doc: 'Port for control over TCP.' }),
    publish: scalar({
      default: 'true',
      parser: truth,
      doc: 'Whether the control service is announced by mDNS.',
    }),
  },
  'tcp-streaming': {
    enabled: scalar({ default: 'true', parser: truth, doc: 'Audio for clients over TCP.' }),
    bind_to_address: list({ default: ['::'], parser: address, doc: bindDoc }),
    port: scalar({ default: '1704', parser: port, doc: 'Port for audio.' }),
    publish: scalar({
      default: 'true',
      parser: truth,
      doc: 'Whether the audio service is announced by mDNS.',
    }),
    hello_timeout: scalar({
      isLive: true,
      default: '5000',
      parser: integer({ min: 100, max: 60_000, unit: 'ms' }),
      doc: 'Time that a new connection has to say Hello before it is closed.',
    }),
    stall_timeout: scalar({
      isLive: true,
      default: '10000',
      parser: integer({ min: 1000, max: 600_000, unit: 'ms' }),
      doc:
        'Time that a client may take nothing of what is sent before it is closed. Where it is longer ' +
        'than peer_timeout of [server], the kernel closes a client that answers but takes nothing ' +
        'after that time already.',
    }),
  },
} as const;
