import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decoderProgram } from '../../src/audio/sources/decoder-arguments.ts';
import { findProgram } from '../../src/base/children/find-program.ts';
import { configText } from './config-text.ts';
import { Pattern } from './pattern.ts';
import { allRatesHz, patternFile, swellingStream } from './streams.ts';
import { SwellingPattern } from './swelling-pattern.ts';

const scripts = fileURLToPath(new URL('../support/plugins', import.meta.url));
const dataFolderSize = '2m';

const repeat = '#!/bin/sh\nwhile cat "$1"; do :; done\n';

/** What a run has of its own, and how its server is configured. */
export interface Places {
  readonly isZeroCopy: boolean;
  readonly bufferMs: number;
  /** A file system of its own, which can be filled. */
  readonly data: string;
  readonly media: string;
  readonly plugins: string;
  readonly sandbox: string;
  /** For files that hide libraries of the system. */
  readonly noLibraries: string;
  /** A link to the data folder, and where links out of it lead. */
  readonly wayToData: string;
  readonly astray: string;
  readonly fifo: string;
  readonly configFile: string;
  readonly certificate: string;
  readonly certificateKey: string;
  readonly streamPort: number;
  readonly controlPort: number;
  readonly httpPort: number;
  readonly securePort: number;
  readonly producerPort: number;
  readonly packetPort: number;
  readonly stationPort: number;
}

/**
 * Folders, files and ports of one run, in a network namespace in which every port is free.
 */
export function makePlaces(
  work: string,
  { isZeroCopy, bufferMs }: Pick<Places, 'isZeroCopy' | 'bufferMs'>,
): Places {
  const places: Places = {
    isZeroCopy,
    bufferMs,
    data: join(work, 'data'),
    media: join(work, 'media'),
    plugins: join(work, 'plugins'),
    sandbox: join(work, 'sandbox'),
    noLibraries: join(work, 'no-libraries'),
    wayToData: join(work, 'way-to-data'),
    astray: join(work, 'astray'),
    fifo: join(work, 'pipe.fifo'),
    configFile: join(work, 'zerocast.conf'),
    certificate: join(work, 'server.crt'),
    certificateKey: join(work, 'server.key'),
    streamPort: 1704,
    controlPort: 1705,
    httpPort: 1780,
    securePort: 1788,
    producerPort: 4953,
    packetPort: 5004,
    stationPort: 8000,
  };
  const { data, media, sandbox, noLibraries } = places;
  for (const folder of [data, media, sandbox, noLibraries]) mkdirSync(folder);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${dataFolderSize}`, 'chaos', places.data]);
  execFileSync('mkfifo', [places.fifo]);
  symlinkSync(places.data, places.wayToData);
  cpSync(scripts, places.plugins, { recursive: true });
  writeFileSync(join(places.sandbox, 'repeat.sh'), repeat);
  chmodSync(join(places.sandbox, 'repeat.sh'), 0o755);
  giveLibrariesTo(decoderProgram, work);
  for (const rateHz of allRatesHz) {
    writeFileSync(patternFile(places, rateHz), new Pattern(rateHz).bytes);
  }
  const { rateHz } = swellingStream;
  writeFileSync(patternFile(places, rateHz), new SwellingPattern(rateHz).bytes);
  makeCertificate(places);
  writeFileSync(places.configFile, configText(places));
  return places;
}

/** A program that finds, in the namespace of the run, also the libraries that are hidden from the server. */
function giveLibrariesTo(program: string, work: string): void {
  const wrapper = join(work, 'wrapper');
  const own = join(work, basename(program));
  writeFileSync(wrapper, `#!/bin/sh\nunset LD_LIBRARY_PATH\nexec ${own} "$@"\n`, { mode: 0o755 });
  writeFileSync(own, '');
  execFileSync('mount', ['--bind', findProgram(program), own]);
  execFileSync('mount', ['--bind', wrapper, findProgram(program)]);
}

function makeCertificate({ certificate, certificateKey }: Places): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const files = ['-keyout', certificateKey, '-out', certificate];
  const parameters = ['req', '-x509', ...key, '-subj', '/CN=chaos', '-days', '2', ...files];
  execFileSync('openssl', parameters, { stdio: 'pipe' });
}
