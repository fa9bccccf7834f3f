import { rows } from './schema.ts';

const begin = '<!-- settings: written by scripts/generate-config.mjs -->\n';
const end = '<!-- end of settings -->';

/** Puts the present table between its two marks in `text`. */
export function insertSettingsTable(text: string): string {
  const from = text.indexOf(begin) + begin.length;
  return text.slice(0, from) + renderSettingsTable() + text.slice(text.indexOf(end));
}

/** All settings as a Markdown table, one row per key. */
export function renderSettingsTable(): string {
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
