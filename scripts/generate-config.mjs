// Writes config/zerocast.conf and the table of settings in README.md. Run `npm run build` first.
import { readFileSync, writeFileSync } from 'node:fs';
import { renderConfigFile } from '../dist/config/render-config-file.js';
import { insertSettingsTable } from '../dist/config/render-settings-table.js';

const configFile = new URL('../config/zerocast.conf', import.meta.url);
const readme = new URL('../README.md', import.meta.url);
writeFileSync(configFile, renderConfigFile());
writeFileSync(readme, insertSettingsTable(readFileSync(readme, 'utf8')));
