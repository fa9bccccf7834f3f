// Writes config/zerocast.conf and the table in docs/settings.md. Run `npm run build` first.
import { readFileSync, writeFileSync } from 'node:fs';
import { rows } from '../dist/config/schema.js';
import { wrapText } from '../dist/config/wrap-text.js';
import { configFileText, insertSettingsTable } from './render-settings.mjs';

const configFile = new URL('../config/zerocast.conf', import.meta.url);
const settings = new URL('../docs/settings.md', import.meta.url);
writeFileSync(configFile, configFileText(rows, wrapText));
writeFileSync(settings, insertSettingsTable(readFileSync(settings, 'utf8'), rows));
