import { list, scalar } from './setting.ts';
import { autoOr, integer, oneOf, sampleFormat, someText, truth } from './value-parser.ts';

/** The sections that concern audio and its clients. */
export const streamSettings = {
  stream: {
    source: list({
      isLive: true,
      default: ['pipe:///tmp/snapfifo?name=default'],
      parser: someText('the address of a source, for example pipe:///tmp/snapfifo?name=default'),
      doc:
        'Where audio comes from: scheme://host/path?name=<name>[&key=value...]; ' +
        'schemes: pipe, file, clip, process, radio, tcp, meta, snap, tone. The first source is the stream of new groups. ' +
        'Common keys: codec, sampleformat, chunk_ms, idle_threshold, silence_threshold_percent, ' +
        'send_silence.',
    }),
    default_source: scalar({
      isLive: true,
      default: '',
      parser: someText('the name of a source', /^/),
      doc:
        'Name of the stream of new groups, and of those whose stream is gone; while it cannot be ' +
        'played, and when none is named, that is the first source that can.',
    }),
    plugin_dir: scalar({
      isLive: true,
      default: '/usr/share/snapserver/plug-ins',
      parser: someText('a path'),
      doc: 'Folder of the control scripts that a stream may name.',
    }),
    sandbox_dir: scalar({
      isLive: true,
      default: '/usr/share/snapserver/sandbox',
      parser: someText('a path'),
      doc: 'Folder of the programs that streams added at run time may start.',
    }),
    source_dir: list({
      isLive: true,
      default: ['/tmp'],
      parser: someText('an absolute path, for example /srv/music', /^\//),
      doc:
        'Folder of the files and pipes that streams added at run time may read; what not everybody ' +
        'on the machine may read, and what belongs to the server itself, is refused all the same.',
    }),
    allow_capture: scalar({
      isLive: true,
      default: 'false',
      parser: truth,
      doc:
        'Whether controllers may add streams that hear this machine, of microphones and of sound ' +
        'servers, while no login is needed; with logins that is the permission Stream.AddStream.Capture.',
    }),
    radio_private: scalar({
      isLive: true,
      default: 'false',
      parser: truth,
      doc:
        'Whether radio streams that controllers add may ask hosts whose address is private, and play HLS; ' +
        'streams of the configuration may.',
    }),
    persist_added: scalar({
      default: 'false',
      parser: truth,
      doc: 'Whether streams that controllers add are there again after a restart.',
    }),
    sampleformat: scalar({
      isLive: true,
      default: '48000:16:2',
      parser: sampleFormat,
      doc: 'Format of sources that name none: rate:bits:channels.',
    }),
    codec: scalar({
      isLive: true,
      default: 'flac',
      parser: someText('a codec as name or name:options, for example flac:2', /^[a-z0-9]+(:.*)?$/i),
      doc:
        'Codec of streams that name none, as name or name:options: flac, opus, ogg, pcm, null. ' +
        '--stream.codec=<name>:? lists the options.',
    }),
    chunk_ms: scalar({
      isLive: true,
      default: '20',
      parser: integer({ min: 10, max: 1000, unit: 'ms', raise: true }),
      doc: 'Audio that is read from a source at a time.',
    }),
    buffer: scalar({
      default: '1000',
      parser: integer({ min: 20, max: 60_000, unit: 'ms', raise: true }),
      doc: 'Time from the source to the loudspeaker, the same for every client.',
    }),
    send_to_muted: scalar({
      isLive: true,
      default: 'false',
      parser: truth,
      doc: 'Whether muted clients get audio all the same.',
    }),
    zerocopy: scalar({
      default: 'false',
      parser: truth,
      doc: 'Whether audio is sent without copying it into the kernel, where that is possible (-z).',
    }),
    zerocopy_min_bytes: scalar({
      default: 'auto',
      parser: autoOr(integer({ min: 1, max: 16_777_216, unit: 'bytes' })),
      doc:
        'Batches smaller than this are copied, as pinning their memory would cost more: auto is ' +
        'the size from which zero-copy was measured to be cheaper.',
    }),
    zerocopy_mode: scalar({
      default: 'adaptive',
      parser: oneOf(['adaptive', 'always']),
      doc:
        'adaptive: a connection on which the kernel copies all the same is sent to plainly and ' +
        'tried again now and then; always: it is never given up.',
    }),
    send_interval: scalar({
      default: 'auto',
      parser: autoOr(integer({ min: 0, max: 1000, unit: 'ms' })),
      doc:
        'How much audio is collected for one send: auto is about a fifth of buffer, at most ' +
        '200 ms, in whole chunks; with zero-copy as much as makes it pay, at most a quarter of ' +
        'buffer; 0 sends every chunk at once.',
    }),
    instant_start: scalar({
      default: 'true',
      parser: truth,
      doc:
        'Whether a client that joins gets the audio that is still to be played, so that it ' +
        'starts at once instead of one buffer later.',
    }),
    instant_start_burst: scalar({
      default: '4096',
      parser: integer({ min: 64, max: 1_048_576, unit: 'KiB' }),
      doc: 'Catching-up audio that all joining clients together may get per tick.',
    }),
    resync_tolerance: scalar({
      isLive: true,
      default: 'auto',
      parser: autoOr(integer({ min: 0, max: 60_000, unit: 'ms' })),
      doc:
        'How late a source may be before its stream starts a new timeline: auto is a quarter of ' +
        'buffer, at most 250 ms.',
    }),
  },
  streaming_client: {
    initial_volume: scalar({
      isLive: true,
      default: '100',
      parser: integer({ min: 0, max: 100, unit: 'percent' }),
      doc: 'Volume of clients that were never seen before.',
    }),
  },
} as const;
