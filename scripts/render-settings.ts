import { environmentName } from '../src/config/environment.ts';
import { type Row, rows } from '../src/config/schema.ts';
import { wrapText } from '../src/config/wrap-text.ts';

const comment = { width: 96, indent: '# ' };

const introduction =
  'Configuration of Zerocast. Every setting is listed with its default, which is also what ' +
  'counts when the line stays a comment; remove the # to change it. Files written for ' +
  'snapserver work as they are. Environment variables such as ' +
  `${environmentName('stream', 'codec')} and options such as --stream.codec override this file.`;

const origin =
  '# This file is generated: scripts/generate-config.ts writes it from the table of settings.';

const begin = '<!-- settings: written by scripts/generate-config.ts -->\n';
const end = '<!-- end of settings -->';

/** What the shipped file says about a setting besides. */
const hints: ReadonlyMap<string, string> = new Map([
  [
    'stream.source',
    'While there is no source, the pipe below is one. To hear it, write audio into it: ' +
      'ffmpeg -i song.mp3 -f s16le -ar 48000 -ac 2 -y /tmp/snapfifo',
  ],
]);

/** The text of `config/zerocast.conf`. */
export function configFileText(): string {
  const sections = new Set(rows.map(({ section }) => section));
  const parts = [...sections].map((name) => {
    const keys = rows.filter(({ section }) => section === name);
    return `\n[${name}]\n\n${keys.map(rowText).join('\n')}`;
  });
  return `${wrapText(introduction, comment)}\n#\n${origin}\n${parts.join('')}`;
}

function rowText({ section, key, setting }: Row): string {
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

/** Puts the present table between its two marks in `text`. */
export function insertSettingsTable(text: string): string {
  const from = text.indexOf(begin) + begin.length;
  return text.slice(0, from) + settingsTable() + text.slice(text.indexOf(end));
}

/** All settings as a Markdown table, one row per key. */
export function settingsTable(): string {
  const lines = rows.map(({ section, key, setting }) => {
    const standard = [setting.default].flat().map(code).join(', ') || '–';
    const extra = setting.repeatable ? ' Repeatable.' : '';
    const applies = setting.isLive ? 'reload' : 'restart';
    const { unit } = setting.parser;
    const cells = [code(section), code(key), standard, unit, applies, setting.doc + extra];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return [
    '| Section | Key | Default | Unit | Applied by | Meaning |',
    '|---|---|---|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}

function code(text: string): string {
  return text && `\`${text}\``;
}
