// Writes config/zerocast.conf from the table of settings. Run `npm run build` first.
import { writeFileSync } from 'node:fs';
import { renderConfigFile } from '../dist/config/render-config-file.js';

const target = new URL('../config/zerocast.conf', import.meta.url);
writeFileSync(target, renderConfigFile());
