import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { StreamUri } from '../audio/stream-uri.ts';
import { findProgram } from '../base/children/find-program.ts';
import { RpcError, SourceError } from '../base/errors.ts';
import { cutText } from '../base/foreign-text.ts';

const invalidParams = -32602;
const plainDevice =
  /^([A-Za-z][\w-]*)(?::(?:(?:CARD|DEV|SUBDEV)=)?\w+(?:,(?:(?:CARD|DEV|SUBDEV)=)?\w+){0,2})?$/;
/** Kinds that work on files or other devices, which they are told in the same way. */
const composedKinds: ReadonlySet<string> = new Set(['file', 'oss', 'plug', 'shm', 'tee']);
const maxShownDevice = 64;
/** Only the path itself counts: no other program of the same name is looked for. */
const noSearchPath = '';

/**
 * Where the control script of a stream lies, with all links resolved.
 *
 * Failure: rejects with an `RpcError` "Invalid params" when there is none, or none that may be
 * started. Source: protocol reference, 9.5 and 16.1.
 */
export async function allowedScript(request: {
  /** As the address names it: relative to `pluginDir`, or absolute. */
  readonly script: string;
  readonly pluginDir: string;
  /** From the configuration: the script may lie anywhere. */
  readonly isTrusted: boolean;
  /** Starting it is tried until it is there: the audio of the stream does not depend on it. */
  readonly mayBeMissing?: boolean;
}): Promise<string> {
  const { script, pluginDir, isTrusted, mayBeMissing } = request;
  const named = resolve(pluginDir, script);
  const path = await resolved(named);
  // No controller may learn what exists outside, so that fault comes first.
  if (!isTrusted && !isBelow(path ?? named, await folderFor(path, pluginDir))) {
    throw badScript(`Control script must be located in '${pluginDir}'`);
  }
  if (mayBeMissing) return path ?? named;
  if (path === undefined) throw badScript(`Control script '${named}' does not exist`);
  const stats = await stat(path).catch(() => undefined);
  if (!stats?.isFile()) throw badScript(`Control script '${named}' is no regular file`);
  return path;
}

/**
 * Where the program of a stream that a controller adds lies, with all links resolved: what is
 * started later cannot be replaced by another link.
 *
 * Failure: rejects with a `SourceError` unless `path`, with all links resolved, is a program below
 * `sandboxDir`. Source: protocol reference, 9.5.
 */
export async function allowedProgram(path: string, sandboxDir: string): Promise<string> {
  const real = await resolved(path);
  if (!isBelow(real ?? resolve(path), await folderFor(real, sandboxDir))) {
    throw new SourceError(
      'outside-sandbox',
      `Process stream executable must be located in '${sandboxDir}'`,
    );
  }
  // A source would go on and take a program of the same name from PATH.
  return findProgram(real ?? path, noSearchPath);
}

/** Kinds of sources that run a program, and the usual one of those that need not be told. */
const programs: ReadonlyMap<string, string> = new Map([
  ['airplay', 'shairport-sync'],
  ['librespot', 'librespot'],
  ['process', ''],
  ['spotify', 'librespot'],
]);
/** By these the usual programs write to any file, or start any other program. */
const unsafeParameters = ['params', 'cache'];

/**
 * The address of a stream that a controller adds, with the programs that it starts; `undefined` when
 * it starts none.
 *
 * Failure: as `allowedProgram`; also for parameters that would lead around it.
 */
export async function allowedPrograms(
  uri: StreamUri,
  sandboxDir: string,
): Promise<StreamUri | undefined> {
  const usual = programs.get(uri.scheme);
  if (usual === undefined) return undefined;
  if (usual === '') return { ...uri, path: await allowedProgram(uri.path, sandboxDir) };
  const unsafe = unsafeParameters.find((key) => (uri.query[key] ?? '') !== '');
  if (unsafe !== undefined) {
    throw new SourceError(
      'unsafe-parameter',
      `${uri.scheme}: ${unsafe} may be given in the configuration only, as by it ${usual} writes to ` +
        'files and starts programs',
    );
  }
  const named = /^\/?$/.test(uri.path) ? join(sandboxDir, usual) : uri.path;
  const path = await allowedProgram(named, sandboxDir);
  const { onevent = '' } = uri.query;
  if (onevent === '') return { ...uri, path };
  const [program = '', ...words] = onevent.split(/\s+/);
  const allowed = await allowedProgram(program, sandboxDir);
  return { ...uri, path, query: { ...uri.query, onevent: [allowed, ...words].join(' ') } };
}

/**
 * Refuses names of ALSA devices that are more than a name and the numbers or words of a card. All else is
 * a language, which writes files and starts programs: `plug:{SLAVE={type file file "| …" …}}`.
 *
 * Failure: throws a `SourceError`.
 */
export function checkDeviceName(device: string): void {
  const [, kind = ''] = plainDevice.exec(device) ?? [];
  if (kind !== '' && !composedKinds.has(kind)) return;
  throw new SourceError(
    'not-allowed',
    `the device "${cutText(device, maxShownDevice)}" is more than a name with a card, as hw:1 and ` +
      'plughw:CARD=Line are: define it in asound.conf under a name of its own',
  );
}

/**
 * What controllers and viewers are told of a source. Which files there are, of what kind and who may
 * read them, is for the reader of the log alone.
 */
export function discreetFault(fault: SourceError, { path }: StreamUri): SourceError {
  const known = [`the file ${path} cannot be played`, `the pipe ${path} cannot be used`];
  const told = known.find((text) => fault.message.startsWith(`${text}: `));
  if (told === undefined) return fault;
  return new SourceError('not-opened', `${told}: the log of the server says why`, { cause: fault });
}

/** The folder to compare with: links are resolved on both sides or on none. */
async function folderFor(realPath: string | undefined, folder: string): Promise<string> {
  return (realPath !== undefined && (await resolved(folder))) || resolve(folder);
}

/** `undefined` when there is nothing at `path`, or nothing that we may see. */
async function resolved(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch {
    return undefined;
  }
}

/** Whether `path` lies in `folder`; links are not resolved here. */
export function isBelow(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function badScript(text: string): RpcError {
  return new RpcError(invalidParams, 'Invalid params', text);
}
