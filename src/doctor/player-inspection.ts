import { findPlayer } from '../audio/sources/player-program.ts';
import type { StreamOptions } from '../audio/stream-options.ts';
import { textOf } from '../audio/stream-parameters.ts';
import type { DoctorContext } from './context.ts';
import { type Finding, fault, note, warning } from './finding.ts';
import { refusalOf } from './server-user.ts';

/** Whether the server may start the program of a librespot source, and write to its cache. */
export function inspectLibrespot(
  options: StreamOptions,
  { serverUser }: DoctorContext,
): readonly Finding[] {
  const findings = inspectPlayer(options, { serverUser, usual: 'librespot' });
  const cache = textOf(options.uri, 'cache');
  const refusal = cache === undefined ? undefined : refusalOf(serverUser, cache, 'write');
  if (refusal === undefined) return findings;
  return [...findings, fault(`cache: ${refusal}`, `chown ${serverUser.name} ${cache}`)];
}

/** The same of an airplay source, and whether apps would find it. */
export function inspectAirplay(
  options: StreamOptions,
  { serverUser, files }: DoctorContext,
): readonly Finding[] {
  const findings = [...inspectPlayer(options, { serverUser, usual: 'shairport-sync' })];
  if (!files.entries('/run/avahi-daemon').includes('socket')) {
    const fault = 'avahi-daemon does not run on this machine, and apps find the player by it';
    findings.push(warning(fault, 'start it, or let the server reach the D-Bus of one that runs'));
  }
  if (textOf(options.uri, 'password') !== undefined) {
    const fault = 'its password is seen by all users of this machine in the list of processes';
    findings.push(note(`${fault}: the file of shairport-sync can hold it instead`));
  }
  return findings;
}

function inspectPlayer(
  { uri }: StreamOptions,
  { serverUser, usual }: Pick<DoctorContext, 'serverUser'> & { readonly usual: string },
): readonly Finding[] {
  const program = findPlayer(uri, usual);
  const refusal = refusalOf(serverUser, program, 'execute');
  const findings = refusal === undefined ? [] : [fault(refusal, `chmod 755 ${program}`)];
  const isElsewhere = !['', '/', program].includes(uri.path);
  const found = note(`${uri.path} does not exist, ${program} is used`);
  return isElsewhere ? [found, ...findings] : findings;
}
