import { existsSync, lstatSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { dataFolder } from '../app/data-folder.ts';
import { decoderProgram } from '../audio/sources/decoder-arguments.ts';
import { findProgram } from '../base/children/find-program.ts';
import { ClipError } from '../clips/clip-error.ts';
import { clipName, isClipName } from '../clips/clip-name.ts';
import type { DoctorContext } from './context.ts';
import { nearestFolder } from './data-folder-check.ts';
import { type Check, type Finding, fault, note, ok, warning } from './finding.ts';
import { refusalOf } from './server-user.ts';

const mebibyte = 1024 * 1024;
const folderAdvice = 'or set folder in [clips] to another one';

/** The library of sounds, and what decodes those that are not PCM. */
export function clipsCheck(context: DoctorContext): Check {
  return { name: 'clips', run: () => [...checkFolder(context), checkDecoder()] };
}

/**
 * The file of a clip, as the server would find it, but that nothing is looked at or kept.
 *
 * Failure: throws when there is none.
 */
export function clipFileOf(name: string, context: DoctorContext): string {
  const path = join(folderOf(context), clipName(name));
  if (existsSync(path)) return path;
  throw new ClipError('unknown-clip', `there is no ${path}: add it by zerocast clips add`);
}

function folderOf({ config, environment, isDaemon }: DoctorContext): string {
  const { datadir } = config.server;
  const options = { datadir, home: environment.HOME, isDaemon };
  return config.clips.folder || join(dataFolder(options), 'clips');
}

function checkFolder(context: DoctorContext): readonly Finding[] {
  const { serverUser, config } = context;
  const folder = folderOf(context);
  const stats = statSync(folder, { throwIfNoEntry: false });
  // "data folder" says whether that one can be made.
  if (!stats && config.clips.folder === '') {
    return [ok(`there are no clips yet: ${folder} will be made with the first one`)];
  }
  if (stats && !stats.isDirectory()) {
    return [
      fault(`${folder} is no folder, so that there are no clips`, `remove it, ${folderAdvice}`),
    ];
  }
  const refusal =
    (stats && refusalOf(serverUser, folder, 'read')) ??
    refusalOf(serverUser, nearestFolder(folder), 'write');
  if (refusal !== undefined) {
    const text = `no clip can be added to ${folder}: ${refusal}`;
    return [warning(text, `install -d -o ${serverUser.name} ${folder}, ${folderAdvice}`)];
  }
  return checkRoom(folder, config.clips);
}

/** Both limits are MiB. */
function checkRoom(
  folder: string,
  { maxClipSize, maxSize }: { readonly maxClipSize: number; readonly maxSize: number },
): readonly Finding[] {
  const sizes = sizesIn(folder);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const mayCome = Math.max(0, Math.min(maxClipSize, maxSize - bytes / mebibyte));
  const { bavail, bsize } = statfsSync(nearestFolder(folder));
  const free = (bavail * bsize) / mebibyte;
  const size = `${(bytes / mebibyte).toFixed(1)} of ${maxSize} MiB`;
  const facts = ok(`${folder} can be written: ${sizes.length} clips, ${size}`);
  if (free >= mayCome) return [facts];
  const text = `the disk of ${folder} has ${Math.floor(free)} MiB left, and a clip may have ${maxClipSize}`;
  return [facts, warning(text, `free some space, ${folderAdvice}`)];
}

function sizesIn(folder: string): readonly number[] {
  const isThere = statSync(folder, { throwIfNoEntry: false }) !== undefined;
  const names = isThere ? readdirSync(folder).filter(isClipName) : [];
  return names.flatMap((name) => {
    const stats = lstatSync(join(folder, name), { throwIfNoEntry: false });
    return stats?.isFile() ? [stats.size] : [];
  });
}

function checkDecoder(): Finding {
  try {
    return ok(`clips that are neither WAV nor raw are decoded by ${findProgram(decoderProgram)}`);
  } catch {
    return note(
      'there is no ffmpeg: clips and announcements must be WAV or raw PCM',
      'install ffmpeg, which decodes MP3, FLAC, Ogg, Opus, AAC and others',
    );
  }
}
