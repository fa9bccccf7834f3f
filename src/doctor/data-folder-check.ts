import { existsSync, readFileSync, realpathSync, type Stats, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { dataFolder, readSnapserverState, snapserverFolder } from '../app/data-folder.ts';
import { messageOf } from '../base/errors.ts';
import { DamagedFileError } from '../base/files/json-file.ts';
import { parseJson } from '../base/foreign-text.ts';
import { parseSavedState } from '../clients/saved-state.ts';
import { addressesIn } from '../streams/added-streams.ts';
import type { DoctorContext } from './context.ts';
import { type Check, type Finding, fault, note, ok, warning } from './finding.ts';
import { refusalOf } from './server-user.ts';

const mebibyte = 1024 * 1024;
const lowBytes = 16 * mebibyte;
const fullBytes = mebibyte;
/** More is no state file. */
const maxFileBytes = 64 * mebibyte;
const datadirAdvice = 'or set datadir in [server] to another folder';

/** Where clients, groups and added streams are saved. */
export function dataFolderCheck(context: DoctorContext): Check {
  const { config, environment, isDaemon } = context;
  const { datadir } = config.server;
  const options = { datadir, home: environment.HOME, isDaemon };
  const folder = dataFolder(options);
  return {
    name: 'data folder',
    run: () => {
      const place = checkPlace(folder, context);
      const isThere = statSync(folder, { throwIfNoEntry: false })?.isDirectory();
      const files = isThere ? checkFiles(folder, context) : [];
      return [
        place,
        ...files,
        ...checkInheritance(folder, snapserverFolder(options)),
        ...diskSpace(folder),
      ];
    },
  };
}

function checkPlace(folder: string, context: DoctorContext): Finding {
  const { serverUser } = context;
  const stats = statSync(folder, { throwIfNoEntry: false });
  if (stats && !stats.isDirectory()) {
    return fault(`${folder} is no folder, so that nothing is saved`, `remove it, ${datadirAdvice}`);
  }
  const existing = nearestFolder(folder);
  const wish = isHandedOver(stats, context) ? 'execute' : 'write';
  const reason = refusalOf(serverUser, existing, wish);
  if (reason !== undefined) {
    const advice = `install -d -o ${serverUser.name} ${folder}, ${datadirAdvice}`;
    return fault(`nothing is saved in ${folder}: ${reason}`, advice);
  }
  return stats ? ok(`${folder} can be written`) : ok(`${folder} will be made at the first start`);
}

/**
 * A daemon that root starts gives its user the folder that it makes, and the usual one where that is
 * root's; the user only has to get there.
 */
function isHandedOver(stats: Stats | undefined, { config, isDaemon }: DoctorContext): boolean {
  if (!isDaemon || process.geteuid?.() !== 0) return false;
  return !stats || (config.server.datadir === '' && stats.uid === 0);
}

export function nearestFolder(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestFolder(dirname(folder));
}

function checkFiles(folder: string, context: DoctorContext): readonly Finding[] {
  const parseStreams = (json: unknown) => ({ faults: { count: 0 }, addresses: addressesIn(json) });
  return [
    ...checkFile(join(folder, 'server.json'), parseSavedState, context),
    ...(context.config.stream.persistAdded
      ? checkFile(join(folder, 'streams.json'), parseStreams, context)
      : []),
  ];
}

function checkInheritance(folder: string, from: string | undefined): readonly Finding[] {
  if (from === undefined || existsSync(join(folder, 'server.json'))) return [];
  try {
    const state = readSnapserverState(from);
    return state ? [note(`the first start takes over a copy of ${state.path}`)] : [];
  } catch (error) {
    const text = `what snapserver has saved cannot be taken over: ${messageOf(error)}`;
    return [warning(text, `copy server.json from ${from} to ${folder} by hand`)];
  }
}

function checkFile(
  path: string,
  parse: (json: unknown) => { readonly faults: { readonly count: number } },
  { serverUser }: DoctorContext,
): readonly Finding[] {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return [note(`there is no ${path} yet`)];
  const refusal = refusalOf(serverUser, path, 'read');
  if (refusal !== undefined) {
    return [fault(`what was saved is not read: ${refusal}`, `chown ${serverUser.name} ${path}`)];
  }
  if (!stats.isFile() || stats.size > maxFileBytes) return [damaged(path, 'it is no small file')];
  try {
    const text = readFileSync(realpathSync(path), 'utf8').trim();
    if (text === '') return [note(`${path} is empty: the server starts anew`)];
    const { count } = parse(parsedJson(text)).faults;
    if (count === 0) return [ok(`${path} is in order`)];
    const advice = 'nothing is to be done: the server tells them in its log and uses defaults';
    return [warning(`${path} has ${count} wrong values`, advice)];
  } catch (error) {
    if (error instanceof DamagedFileError) return [damaged(path, error.message)];
    return [fault(`${path} cannot be read (${messageOf(error)})`, 'check the disk')];
  }
}

function damaged(path: string, reason: string): Finding {
  return fault(
    `${path} is damaged: ${reason}; the server would set it aside and start anew`,
    'put back a copy that is whole, or remove the file',
  );
}

function parsedJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    throw new DamagedFileError('it is not JSON, or was cut short');
  }
}

function diskSpace(folder: string): readonly Finding[] {
  const { bavail, bsize } = statfsSync(nearestFolder(folder));
  const bytes = bavail * bsize;
  if (bytes >= lowBytes) return [];
  const text = `the disk of ${folder} has ${Math.floor(bytes / 1024)} KiB left`;
  const advice = `free some space, ${datadirAdvice}`;
  return [bytes < fullBytes ? fault(text, advice) : warning(text, advice)];
}
