import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { StreamOptions } from '../audio/stream-options.ts';
import { textOf } from '../audio/stream-parameters.ts';
import type { DoctorContext } from './context.ts';
import { type Finding, fault, note, warning } from './finding.ts';
import { refusalOf, userNameOf } from './server-user.ts';

/** Whether PipeWire is there, and lets the server in. */
export function inspectPipeWire(
  { uri }: StreamOptions,
  context: DoctorContext,
): readonly Finding[] {
  const { serverUser } = context;
  const remote = textOf(uri, 'remote') ?? 'pipewire-0';
  const folder = textOf(uri, 'runtime_dir') ?? usualFolder(context);
  const socket = remote.startsWith('/') ? remote : join(folder, remote);
  const refusal = refusalOf(serverUser, socket, 'write');
  const owner = statSync(socket, { throwIfNoEntry: false })?.uid;
  if (owner === undefined) {
    // What lies in a folder that may not be entered looks as if it were not there.
    const text = refusal?.includes('folder') ? refusal : `there is no PipeWire at ${socket}`;
    const mend = `start it as ${serverUser.name}, or give its folder, as in runtime_dir=/run/user/1000`;
    return [warning(`${text}: the stream waits for it`, mend)];
  }
  if (owner === serverUser.uid) return [];
  const text = `PipeWire at ${socket} is that of ${userNameOf(owner)}`;
  if (refusal === undefined) return [note(text)];
  const mend = `let the server run as the same user: user = ${userNameOf(owner)} in [server]`;
  return [fault(`${text}: ${refusal}`, mend)];
}

/** Of the library, for the user that the server runs as. */
function usualFolder({ environment, serverUser }: DoctorContext): string {
  if (!serverUser.isOwn) return `/run/user/${serverUser.uid}`;
  const { PIPEWIRE_RUNTIME_DIR, XDG_RUNTIME_DIR, HOME } = environment;
  return PIPEWIRE_RUNTIME_DIR ?? XDG_RUNTIME_DIR ?? HOME ?? '/';
}
