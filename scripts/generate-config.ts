// Writes config/zerocast.conf and the table in docs/settings.md: node --import tsx scripts/generate-config.ts
import { readFileSync, writeFileSync } from 'node:fs';
import { configFileText, insertSettingsTable } from './render-settings.ts';

const configFile = new URL('../config/zerocast.conf', import.meta.url);
const settings = new URL('../docs/settings.md', import.meta.url);
writeFileSync(configFile, configFileText());
writeFileSync(settings, insertSettingsTable(readFileSync(settings, 'utf8')));
