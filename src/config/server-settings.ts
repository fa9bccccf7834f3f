import { list, scalar } from './setting.ts';
import { anyText, integer, logFilter, logSink, oneOf, someText, truth } from './value-parser.ts';

const credentials = someText('a user or role entry');

/** The sections that concern the process as a whole. */
export const serverSettings = {
  server: {
    threads: scalar({
      default: '-1',
      parser: integer({ min: -1024, max: 1024 }),
      doc: 'Accepted for compatibility and not used: one thread serves everything.',
    }),
    pidfile: scalar({
      default: '/var/run/snapserver/pid',
      parser: someText('a path with a /', /\//),
      doc: 'File for the process id, in daemon mode only.',
    }),
    user: scalar({
      default: 'snapserver',
      parser: someText('a user name'),
      doc: 'User to run as, in daemon mode only.',
    }),
    group: scalar({
      default: '',
      parser: anyText,
      doc: 'Group to run as, in daemon mode only; empty for the primary group of the user.',
    }),
    datadir: scalar({
      default: '',
      parser: anyText,
      doc: 'Folder for what outlives a restart; empty for the usual place.',
    }),
    peer_timeout: scalar({
      isLive: true,
      default: '15000',
      parser: integer({ min: 2000, max: 600_000, unit: 'ms' }),
      doc:
        'Time after which a player, controller or TCP source that answers nothing any more, as its ' +
        'machine or network is gone, counts as gone.',
    }),
    mdns_enabled: scalar({
      default: 'true',
      parser: truth,
      doc: 'Whether the server announces itself, so that clients find it without an address.',
    }),
  },
  ssl: {
    certificate: scalar({
      isLive: true,
      default: '',
      parser: anyText,
      doc: 'Certificate file in PEM format.',
    }),
    certificate_key: scalar({
      isLive: true,
      default: '',
      parser: anyText,
      doc: 'Private key file in PEM format.',
    }),
    key_password: scalar({
      isLive: true,
      default: '',
      parser: anyText,
      secret: true,
      doc: 'Password of an encrypted private key.',
    }),
    verify_clients: scalar({
      default: 'false',
      parser: truth,
      doc: 'Whether clients must show a certificate.',
    }),
    client_cert: list({
      isLive: true,
      default: [],
      parser: someText('a path'),
      doc:
        'Certificate file of an authority that client certificates are checked against, besides ' +
        'the public ones that Node.js knows.',
    }),
  },
  authorization: {
    enabled: scalar({
      isLive: true,
      default: 'false',
      parser: truth,
      doc: 'Whether clients and controllers must log in.',
    }),
    role: list({
      isLive: true,
      default: [],
      parser: credentials,
      doc:
        'A role and what it permits: <name>:<permission>[,<permission>...]. Permissions are method ' +
        'names with * as wildcard, Streaming for players, Metrics for GET /metrics, Tap for taps, Live for ' +
        '/live; one that begins with - denies.',
    }),
    user: list({
      isLive: true,
      default: [],
      parser: credentials,
      secret: true,
      doc:
        'A user: <name>:<password>[:<role>]. The password may be what "zerocast hash-password" ' +
        'prints instead.',
    }),
    token_secret: scalar({
      isLive: true,
      default: '',
      parser: anyText,
      secret: true,
      doc:
        'Secret that signs Bearer tokens (HS256), at least 32 characters. Without it they are signed ' +
        'by certificate_key of [ssl]. "zerocast token <user>" prints one.',
    }),
  },
  logging: {
    sink: scalar({
      isLive: true,
      default: '',
      parser: logSink,
      doc:
        'Where the log goes: stdout, stderr, system, null or file:<name> (emptied at start). ' +
        'Empty for stdout, and for system in daemon mode.',
    }),
    filter: list({
      isLive: true,
      default: ['*:info'],
      parser: logFilter,
      doc:
        'Comma list of <tag>:<level>; * stands for every tag that is not named. ' +
        'Levels: trace, debug, info, notice, warn, error, fatal.',
    }),
    format: scalar({
      isLive: true,
      default: 'text',
      parser: oneOf(['text', 'json']),
      doc: 'One line of text per entry, or one JSON record.',
    }),
  },
} as const;
