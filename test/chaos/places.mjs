import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configText } from './config-text.mjs';
import { Pattern } from './pattern.mjs';
import { allRatesHz, patternFile } from './streams.mjs';

const scripts = fileURLToPath(new URL('../support/plugins', import.meta.url));
const dataFolderSize = '2m';

const repeat = '#!/bin/sh\nwhile cat "$1"; do :; done\n';

/**
 * Folders, files and ports of one run, in a network namespace in which every port is free.
 *
 * Shape: the data folder is a file system of its own, which can be filled.
 */
export function makePlaces(work, { isZeroCopy }) {
  const places = {
    isZeroCopy,
    data: join(work, 'data'),
    media: join(work, 'media'),
    plugins: join(work, 'plugins'),
    sandbox: join(work, 'sandbox'),
    fifo: join(work, 'pipe.fifo'),
    configFile: join(work, 'zerocast.conf'),
    streamPort: 1704,
    controlPort: 1705,
    httpPort: 1780,
    producerPort: 4953,
  };
  for (const folder of [places.data, places.media, places.sandbox]) mkdirSync(folder);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${dataFolderSize}`, 'chaos', places.data]);
  execFileSync('mkfifo', [places.fifo]);
  cpSync(scripts, places.plugins, { recursive: true });
  writeFileSync(join(places.sandbox, 'repeat.sh'), repeat);
  chmodSync(join(places.sandbox, 'repeat.sh'), 0o755);
  for (const rateHz of allRatesHz) {
    writeFileSync(patternFile(places, rateHz), new Pattern(rateHz).bytes);
  }
  writeFileSync(places.configFile, configText(places));
  return places;
}
