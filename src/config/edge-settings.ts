import { list, scalar } from './setting.ts';
import { autoOr, hostName, integer, someText } from './value-parser.ts';

/** Streams from another server, and for other servers. */
export const edgeSettings = {
  edge: {
    origin: scalar({
      default: '',
      parser: someText(
        'the address of another server, for example snap://studio.local:1704, or nothing',
        /^(snap:\/\/[^/?#@\s]+\/?)?$/,
      ),
      doc:
        'Makes this server an edge: its streams, their buffer and the time come from the server at ' +
        'this address. Empty: it has streams of its own alone.',
    }),
    name: scalar({
      default: '<hostname>',
      parser: hostName,
      doc: 'By what the origin knows this edge.',
    }),
    streams: list({
      default: ['*'],
      parser: someText('the name of a stream of the origin, or *'),
      doc:
        'A stream of the origin that is taken; * for all of them. Of a snapserver, which tells no ' +
        'names, what its one stream is called here.',
    }),
    login: scalar({
      default: '',
      secret: true,
      parser: someText('<user>:<password>, or nothing', /^(|[^:]+:.*)$/),
      doc: 'With which the origin lets this edge in, where it wants a login: <user>:<password>.',
    }),
    time_port: scalar({
      default: 'auto',
      parser: autoOr(integer({ min: 0, max: 65_535 })),
      doc:
        'UDP port on which an origin tells its edges the time; it is opened when the first one has ' +
        'logged in. auto is the number of the port of [tcp-streaming]; 0 is none: edges then ask by TCP.',
    }),
  },
} as const;
