import { list, scalar } from './setting.ts';
import { anyText, integer, someText, truth } from './value-parser.ts';

/** The section of announcements that are mixed over the music. */
export const announceSettings = {
  announce: {
    duck_db: scalar({
      isLive: true,
      default: '-15',
      parser: integer({ min: -60, max: 0, unit: 'dB' }),
      doc: 'How far the music goes down for an announcement; 0 leaves it as it is, -60 silences it.',
    }),
    attack_ms: scalar({
      isLive: true,
      default: '250',
      parser: integer({ min: 5, max: 2000, unit: 'ms' }),
      doc: 'How long the music takes to go down, before the announcement begins.',
    }),
    hold_ms: scalar({
      isLive: true,
      default: '200',
      parser: integer({ min: 0, max: 5000, unit: 'ms' }),
      doc: 'How long the music stays down behind the announcement.',
    }),
    release_ms: scalar({
      isLive: true,
      default: '800',
      parser: integer({ min: 5, max: 10_000, unit: 'ms' }),
      doc: 'How long the music takes to come back.',
    }),
    wake_ms: scalar({
      isLive: true,
      default: '300',
      parser: integer({ min: 0, max: 10_000, unit: 'ms' }),
      doc: 'Silence before an announcement where nothing plays, while players open their device.',
    }),
    max_seconds: scalar({
      isLive: true,
      default: '120',
      parser: integer({ min: 1, max: 600, unit: 'seconds' }),
      doc: 'Longer announcements are refused, or cut off where that is not known before.',
    }),
    allowed_host: list({
      isLive: true,
      default: [],
      parser: someText(
        'a host name, an address, a network such as 192.168.0.0/16, or *',
        /^(\*|[a-z0-9_.-]+|[0-9a-f:.]+(\/\d{1,3})?)$/i,
      ),
      doc:
        'Host name, address or network that announcements may be fetched from although its ' +
        'address is private, for example homeassistant.local; * allows all. What the whole internet ' +
        'can reach is always allowed.',
    }),
    adopt_ma: scalar({
      isLive: true,
      default: 'false',
      parser: truth,
      doc:
        'Mix a stream whose name ends in " (announcement)", as Music Assistant makes them, over what a ' +
        'group plays that is given it.',
    }),
    tts_command: scalar({
      isLive: true,
      default: '',
      parser: anyText,
      doc:
        'Program with arguments that reads a text from its standard input and writes a sound file to ' +
        'its standard output; makes announcements by text possible.',
    }),
  },
} as const;
