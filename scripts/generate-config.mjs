// Writes config/zerocast.conf and the table in docs/settings.md. Run `npm run build` first.
import { readFileSync, writeFileSync } from 'node:fs';
import { renderConfigFile } from '../dist/config/render-config-file.js';
import { insertSettingsTable } from '../dist/config/render-settings-table.js';

const configFile = new URL('../config/zerocast.conf', import.meta.url);
const settings = new URL('../docs/settings.md', import.meta.url);
writeFileSync(configFile, renderConfigFile());
writeFileSync(settings, insertSettingsTable(readFileSync(settings, 'utf8')));
