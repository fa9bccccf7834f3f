import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { editDistance } from '../../../src/base/nearest-word.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { nearestOption, nearestSetting } from '../../../src/config/nearest.ts';
import { renderConfigFile } from '../../../src/config/render-config-file.ts';
import {
  insertSettingsTable,
  renderSettingsTable,
} from '../../../src/config/render-settings-table.ts';
import { rows } from '../../../src/config/schema.ts';
import { wrapText } from '../../../src/config/wrap-text.ts';

const shipped = new URL('../../../config/zerocast.conf', import.meta.url);

function loadText(text: string) {
  const readFile = () => new TextEncoder().encode(text);
  return loadConfig({ file: 'zerocast.conf', readFile });
}

describe('the shipped configuration file', () => {
  it('is what the table says: run `npm run build && node scripts/generate-config.mjs`', () => {
    expect(readFileSync(shipped, 'utf8')).toBe(renderConfigFile());
  });

  it('sets nothing, so that an installed server plays what is written to the pipe and no tone', () => {
    const { config, warnings } = loadText(renderConfigFile());
    expect(warnings).toEqual([]);
    expect(config).toEqual(loadConfig({ searchPaths: [] }).config);
    expect(config.stream.source).toEqual(['pipe:///tmp/snapfifo?name=default']);
  });

  it('sets nothing else than the defaults when every line is made active', () => {
    const text = renderConfigFile().replace(/^#(\w+ =.+)$/gm, '$1');
    expect(text).not.toBe(renderConfigFile());
    const { config, warnings } = loadText(text);
    expect(warnings).toEqual([]);
    expect(config).toEqual(loadConfig({ searchPaths: [] }).config);
  });

  it('explains every key', () => {
    const text = renderConfigFile();
    for (const { key, setting } of rows) {
      expect(text).toContain(`\n#${key} =`);
      expect(setting.doc).toMatch(/^\S.*[.]$/);
    }
  });
});

describe('the table of settings', () => {
  it('stands in the documents: run `npm run build && node scripts/generate-config.mjs`', () => {
    const document = readFileSync(new URL('../../../docs/settings.md', import.meta.url), 'utf8');
    expect(document).toContain(renderSettingsTable());
    expect(insertSettingsTable(document)).toBe(document);
  });

  it('has one row per setting', () => {
    const lines = renderSettingsTable().trimEnd().split('\n');
    expect(lines).toHaveLength(rows.length + 2);
    expect(lines.at(2)).toMatch(/^\| `server` \| `threads` \| `-1` \| {2}\| restart \| Accepted/);
    for (const line of lines) expect(line.split(/(?<!\\)\|/)).toHaveLength(8);
  });
});

describe('wrapped text', () => {
  it('breaks at spaces and never inside of a word', () => {
    const text = wrapText('aa bb cccccccccc d', { width: 7, indent: '# ' });
    expect(text).toBe('# aa bb\n# cccccccccc\n# d');
  });
});

describe('the nearest name', () => {
  it('is the one with the fewest edits', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('', 'abc')).toBe(3);
    expect(editDistance('ABC', 'abc')).toBe(0);
    expect(nearestSetting('tcp_control', 'prot')).toMatchObject({
      section: 'tcp-control',
      key: 'port',
    });
    expect(nearestOption('--confg', ['--help', '--config'])).toBe('--config');
    expect(nearestOption('--buffer', ['--help', '--config'])).toBe('--stream.buffer');
  });

  it.each([
    ['http', 'mdns_enabled', 'server.mdns_enabled'],
    ['stream', 'datadir', 'server.datadir'],
    ['server', 'filter', 'logging.filter'],
    ['tcp-stream', 'Publish', 'tcp-streaming.publish'],
  ])('is the same key of another section, if there is one: [%s] %s', (section, key, name) => {
    const nearest = nearestSetting(section, key);
    expect(`${nearest.section}.${nearest.key}`).toBe(name);
  });

  it('costs little for a name without end', () => {
    expect(editDistance('x'.repeat(1_000_000), 'y')).toBe(64);
  });
});
