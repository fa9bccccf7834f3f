import { realpathSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { StreamOptions } from '../audio/stream-options.ts';
import { choiceOf } from '../audio/stream-parameters.ts';
import { findProgram } from '../base/children/find-program.ts';
import type { DoctorContext } from './context.ts';
import { type Finding, fault, note, warning } from './finding.ts';
import { describeProcess, type ProcessFacts } from './process-table.ts';
import { refusalOf, type ServerUser } from './server-user.ts';

const stickyBit = 0o1000;
const writableByAll = 0o002;
const writableByGroup = 0o020;

/** Looks at a fifo without opening it: a writer that waits for a reader would be woken. */
export function inspectFifo({ uri }: StreamOptions, context: DoctorContext): readonly Finding[] {
  const { path } = uri;
  const stats = statSync(path, { throwIfNoEntry: false });
  const isMade = choiceOf(uri, 'mode', ['create', 'read']) === 'create';
  if (!stats) return isMade ? inspectPlace(path, context) : [missing(path)];
  if (!stats.isFIFO()) {
    const what = stats.isDirectory() ? 'a folder' : stats.isFile() ? 'a regular file' : 'no fifo';
    return [
      fault(
        `${path} is ${what}, not a fifo`,
        `remove it (rm ${path}), and the server makes a fifo; files are read by file://${path}`,
      ),
    ];
  }
  return [
    ...rights(path, stats, context.serverUser),
    ...protection({ path, ownerUid: stats.uid }, context),
    ...users(path, context),
  ];
}

function missing(path: string): Finding {
  return warning(
    `${path} does not exist, and mode=read waits until somebody makes it`,
    `mkfifo ${path}, or leave mode=read away`,
  );
}

function inspectPlace(path: string, context: DoctorContext): readonly Finding[] {
  const { serverUser } = context;
  const folder = dirname(path);
  const stats = statSync(folder, { throwIfNoEntry: false });
  if (!stats?.isDirectory()) {
    return [fault(`the folder ${folder} of the pipe does not exist`, `mkdir -p ${folder}`)];
  }
  const refusal = refusalOf(serverUser, folder, 'write');
  if (refusal !== undefined) {
    return [fault(`the fifo ${path} cannot be made: ${refusal}`, `mkfifo -m 666 ${path}`)];
  }
  return [...commandFinding(), ...protection({ path, ownerUid: serverUser.uid }, context)];
}

function commandFinding(): readonly Finding[] {
  try {
    findProgram('/usr/bin/mkfifo');
    return [];
  } catch {
    return [fault('the command mkfifo is missing, which makes fifos', 'install coreutils')];
  }
}

function rights(path: string, stats: Stats, serverUser: ServerUser): readonly Finding[] {
  const refusal = refusalOf(serverUser, path, 'read');
  const advice = `chmod 666 ${path}, or remove it so that the server makes its own`;
  if (refusal !== undefined) return [fault(refusal, advice)];
  if ((stats.mode & (writableByAll | writableByGroup)) !== 0) return [];
  return [note(`only the owner of ${path} (user id ${stats.uid}) may write to it`, advice)];
}

/**
 * The kernel allows no user to open another's fifo for writing in a folder like /tmp when the
 * program also says "make it if it is missing", as every shell does, unless the owner of the folder
 * made the fifo. Source: Linux, Documentation/admin-guide/sysctl/fs.rst, protected_fifos.
 */
function protection(
  { path, ownerUid }: { readonly path: string; readonly ownerUid: number },
  { files }: DoctorContext,
): readonly Finding[] {
  const level = files.number('/proc/sys/fs/protected_fifos') ?? 0;
  const folder = dirname(path);
  const { mode, uid } = statSync(folder);
  const protects =
    (level >= 1 && (mode & writableByAll) !== 0) || (level >= 2 && (mode & writableByGroup) !== 0);
  if ((mode & stickyBit) === 0 || !protects || ownerUid === uid) return [];
  return [
    warning(
      `other users, even root, are refused when they write to ${path} from a shell, ` +
        `as fs.protected_fifos is ${level} and everybody may write to ${folder}`,
      'use a folder of its own, such as /run/zerocast, or sysctl fs.protected_fifos=0',
    ),
  ];
}

function users(path: string, { processes }: DoctorContext): readonly Finding[] {
  const all = processes.usersOfFifo(realpathSync(path));
  const readers = all.filter(({ reads, server }) => reads && server !== 'zerocast');
  const writers = all.filter(({ writes }) => writes);
  const servers = processes.servers.filter(({ server }) => server === 'zerocast');
  // What a server has started in the place of reading itself, as scripts/start does, takes nothing away.
  const isInPlace = ({ parentPid }: ProcessFacts) =>
    servers.some(({ pid }) => pid === parentPid) && !all.some(({ pid }) => pid === parentPid);
  return [
    ...readers.map((reader) =>
      isInPlace(reader)
        ? note(`${describeProcess(reader)} reads from ${path} for the running server`)
        : warning(
            `${describeProcess(reader)} reads from ${path} too, and each gets only a part`,
            'stop that program, or give it another fifo',
          ),
    ),
    ...writers.map((writer) => note(`${describeProcess(writer)} has ${path} open for writing`)),
  ];
}
