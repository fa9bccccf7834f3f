import { rows } from './schema.ts';

/** All settings as a Markdown table, one row per key. */
export function renderSettingsTable(): string {
  const lines = rows.map(({ section, key, setting }) => {
    const standard = [setting.default].flat().map(code).join(', ') || '–';
    const extra = setting.repeatable ? ' Repeatable.' : '';
    const cells = [code(section), code(key), standard, setting.parser.unit, setting.doc + extra];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return [
    '| Section | Key | Default | Unit | Meaning |',
    '|---|---|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}

function code(text: string): string {
  return text && `\`${text}\``;
}
