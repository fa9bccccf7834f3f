import { environmentName } from './environment.ts';
import { type Row, rows, schema } from './schema.ts';
import { wrapText } from './wrap-text.ts';

const width = 96;
const comment = { width, indent: '# ' };

const introduction = `${wrapText(
  'Configuration of Zerocast. Every setting is listed with its default, which is also what ' +
    'counts when the line stays a comment; remove the # to change it. Files written for ' +
    'snapserver work as they are. Environment variables such as ' +
    `${environmentName('stream', 'codec')} and options such as --stream.codec override this file.`,
  comment,
)}
#
# This file is generated: scripts/generate-config.mjs writes it from the table of settings.
`;

/** What the shipped file sets besides the defaults, so that there is something to hear at once. */
const activeLines: ReadonlyMap<string, string> = new Map([
  [
    'stream.source',
    `
${wrapText(
  'The first source is a test tone, so that a client can be heard without any set-up. Put ' +
    'your own source in its place, or remove the line: then the pipe comes first. To hear ' +
    'the pipe, write audio into it: ' +
    'ffmpeg -i song.mp3 -f s16le -ar 48000 -ac 2 - > /tmp/snapfifo',
  comment,
)}
source = tone:///?name=Test%20tone&freq=440
source = pipe:///tmp/snapfifo?name=default
`,
  ],
]);

/** The text of `config/zerocast.conf`. */
export function renderConfigFile(): string {
  const parts = Object.keys(schema).map((section) => {
    const keys = rows.filter((row) => row.section === section);
    return `\n[${section}]\n\n${keys.map(renderRow).join('\n')}`;
  });
  return `${introduction}${parts.join('')}`;
}

function renderRow(row: Row): string {
  const { section, key, setting } = row;
  const notes = [
    setting.doc,
    setting.parser.unit && `Unit: ${setting.parser.unit}.`,
    setting.repeatable && 'May stand several times.',
    !setting.isLive && 'Needs a restart.',
  ].filter(Boolean);
  const texts =
    setting.repeatable && setting.default.length === 0 ? [''] : [setting.default].flat();
  const lines = texts.map((text) => `#${key} = ${text}`.trimEnd());
  const active = activeLines.get(`${section}.${key}`) ?? '';
  return `${wrapText(notes.join(' '), comment)}\n${lines.join('\n')}\n${active}`;
}
