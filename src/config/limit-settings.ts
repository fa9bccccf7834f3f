import { scalar } from './setting.ts';
import { integer } from './value-parser.ts';

/** What peers and controllers can use up. Each row says what a peer beyond it is told. */
export const limitSettings = {
  limits: {
    max_players: scalar({
      default: '4096',
      parser: integer({ min: 1, max: 100_000 }),
      isLive: true,
      doc:
        'Connections of players, TCP and WebSocket together. One more is closed at once, a WebSocket ' +
        'is answered by status 503.',
    }),
    max_controllers: scalar({
      default: '1000',
      parser: integer({ min: 1, max: 100_000 }),
      isLive: true,
      doc:
        'Sessions of controllers, TCP and WebSocket together. One more is closed at once, a WebSocket ' +
        'is answered by status 503.',
    }),
    max_http_connections: scalar({
      default: '2000',
      parser: integer({ min: 1, max: 100_000 }),
      isLive: true,
      doc: 'Connections to the HTTP ports, WebSockets included. One more is closed at once.',
    }),
    max_connections_per_address: scalar({
      default: '512',
      parser: integer({ min: 0, max: 100_000 }),
      isLive: true,
      doc:
        'Connections of one address to all ports together; 0 for no such limit. One more is closed ' +
        'at once. Everything behind one router or proxy counts as one address.',
    }),
    max_taps: scalar({
      default: '32',
      parser: integer({ min: 0, max: 10_000 }),
      isLive: true,
      doc:
        'Taps at one time: programs that listen to the audio of streams by GET /streams/<id>/tap. ' +
        'One more is answered by status 503.',
    }),
    max_taps_per_address: scalar({
      default: '8',
      parser: integer({ min: 0, max: 10_000 }),
      isLive: true,
      doc: 'The same of one address; 0 for no such limit.',
    }),
    login_timeout: scalar({
      default: '10000',
      parser: integer({ min: 100, max: 600_000, unit: 'ms' }),
      isLive: true,
      doc:
        'Time that a controller has to log in, where [authorization] asks for that, before its ' +
        'session is closed.',
    }),
    max_request: scalar({
      default: '1024',
      parser: integer({ min: 64, max: 65_536, unit: 'KiB' }),
      doc:
        'Longest request of a controller. A longer line is answered by error -32700 and the end of ' +
        'the session, a longer body by status 413, a longer WebSocket message by code 1009.',
    }),
    max_incomplete_requests: scalar({
      default: '16384',
      parser: integer({ min: 1024, max: 1_048_576, unit: 'KiB' }),
      doc:
        'What the unfinished requests of all controllers may occupy together. Whoever needs more is ' +
        'closed, or answered by status 503.',
    }),
    max_unread: scalar({
      default: '8192',
      parser: integer({ min: 256, max: 1_048_576, unit: 'KiB' }),
      doc: 'Answers and notifications that may wait for one controller. One that leaves more unread is closed.',
    }),
    max_http_header: scalar({
      default: '16',
      parser: integer({ min: 4, max: 1024, unit: 'KiB' }),
      doc: 'Longest head of a HTTP request. A longer one is answered by status 431.',
    }),
    max_streams: scalar({
      default: '256',
      parser: integer({ min: 1, max: 10_000 }),
      isLive: true,
      doc:
        'Streams at one time. Stream.AddStream beyond it is answered by an error; the streams of ' +
        'this configuration are opened in any case.',
    }),
    max_added_samples_each: scalar({
      default: '1536000',
      parser: integer({ min: 1000, max: 1_000_000_000, unit: 'samples/s' }),
      isLive: true,
      doc:
        'Sample rate times channels of a stream that a controller adds; the default is that of ' +
        '192000:24:8. Stream.AddStream beyond it is answered by an error.',
    }),
    max_added_samples: scalar({
      default: '24576000',
      parser: integer({ min: 1000, max: 1_000_000_000, unit: 'samples/s' }),
      isLive: true,
      doc:
        'The same of all streams that controllers add together; the default is enough for 256 ' +
        'streams of 48000:16:2.',
    }),
    max_known_clients: scalar({
      default: '10000',
      parser: integer({ min: 1, max: 1_000_000 }),
      isLive: true,
      doc:
        'Players that are remembered with their names, volumes and groups. Strangers, which nobody ' +
        'has arranged, are forgotten first, and of them the one that was away longest; those that ' +
        'are connected never are.',
    }),
    max_children: scalar({
      default: '64',
      parser: integer({ min: 1, max: 10_000 }),
      isLive: true,
      doc:
        'Programs of process sources and control scripts at one time. A source beyond it is disabled, ' +
        'a control script not started; the log says so.',
    }),
  },
} as const;
