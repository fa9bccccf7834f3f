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

/** What the shipped file says about a setting besides. */
const hints: ReadonlyMap<string, string> = new Map([
  [
    'stream.source',
    'While there is no source, the pipe below is one. To hear it, write audio into it: ' +
      'ffmpeg -i song.mp3 -f s16le -ar 48000 -ac 2 -y /tmp/snapfifo',
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
    hints.get(`${section}.${key}`),
  ].filter(Boolean);
  const texts =
    setting.repeatable && setting.default.length === 0 ? [''] : [setting.default].flat();
  const lines = texts.map((text) => `#${key} = ${text}`.trimEnd());
  return `${wrapText(notes.join(' '), comment)}\n${lines.join('\n')}\n`;
}
