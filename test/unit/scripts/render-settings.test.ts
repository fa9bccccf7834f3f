import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  configFileText,
  insertSettingsTable,
  settingsTable,
} from '../../../scripts/render-settings.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { rows } from '../../../src/config/schema.ts';

const text = configFileText();
const table = settingsTable();
const shipped = new URL('../../../config/zerocast.conf', import.meta.url);

function loadText(content: string) {
  const readFile = () => new TextEncoder().encode(content);
  return loadConfig({ file: 'zerocast.conf', readFile });
}

describe('the shipped configuration file', () => {
  it('is what the table says: run `node --import tsx scripts/generate-config.ts`', () => {
    expect(readFileSync(shipped, 'utf8')).toBe(text);
  });

  it('sets nothing, so that an installed server plays what is written to the pipe and no tone', () => {
    const { config, warnings } = loadText(text);
    expect(warnings).toEqual([]);
    expect(config).toEqual(loadConfig({ searchPaths: [] }).config);
    expect(config.stream.source).toEqual(['pipe:///tmp/snapfifo?name=default']);
  });

  it('sets nothing else than the defaults when every line is made active', () => {
    const active = text.replace(/^#(\w+ =.+)$/gm, '$1');
    expect(active).not.toBe(text);
    const { config, warnings } = loadText(active);
    expect(warnings).toEqual([]);
    expect(config).toEqual(loadConfig({ searchPaths: [] }).config);
  });

  it('explains every key', () => {
    for (const { key, setting } of rows) {
      expect(text).toContain(`\n#${key} =`);
      expect(setting.doc).toMatch(/^\S.*[.]$/);
    }
  });
});

describe('the table of settings', () => {
  it('stands in the documents: run `node --import tsx scripts/generate-config.ts`', () => {
    const document = readFileSync(new URL('../../../docs/settings.md', import.meta.url), 'utf8');
    expect(document).toContain(table);
    expect(insertSettingsTable(document)).toBe(document);
  });

  it('has one row per setting', () => {
    const lines = table.trimEnd().split('\n');
    expect(lines).toHaveLength(rows.length + 2);
    expect(lines.at(2)).toMatch(/^\| `server` \| `threads` \| `-1` \| {2}\| restart \| Accepted/);
    for (const line of lines) expect(line.split(/(?<!\\)\|/)).toHaveLength(8);
  });
});
