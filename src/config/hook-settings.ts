import { parseHookLine } from './hook-line.ts';
import { list, scalar } from './setting.ts';
import { integer, type ValueParser } from './value-parser.ts';

const hookLine: ValueParser<string> = {
  allowed:
    'a program with arguments, or an http or https address, behind GET if it wants that; before it ' +
    'stream:<name> or group:<name>',
  unit: '',
  parse: (text) => (parseHookLine(text) ? text : undefined),
};

/** The section of what is run when something begins to play, and when it has ended. */
export const hookSettings = {
  hooks: {
    on_playing: list({
      isLive: true,
      default: [],
      parser: hookLine,
      secret: true,
      doc:
        'What to do when a stream begins to play, and when a group with a connected client does: a ' +
        'program with arguments, or an address that gets a POST (GET <address>: a GET). ' +
        '"stream:<name> …" and "group:<name> …" are for one of them alone.',
    }),
    on_idle: list({
      isLive: true,
      default: [],
      parser: hookLine,
      secret: true,
      doc: 'The same for when it has been silent for idle_after.',
    }),
    idle_after: scalar({
      isLive: true,
      default: '10',
      parser: integer({ min: 0, max: 86_400, unit: 'seconds' }),
      doc: 'How long it is silent until on_idle, so that an amplifier outlasts the pause between two songs.',
    }),
    timeout: scalar({
      isLive: true,
      default: '10',
      parser: integer({ min: 1, max: 600, unit: 'seconds' }),
      doc: 'How long a program may run, or an address take to answer.',
    }),
  },
} as const;
