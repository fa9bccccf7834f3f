import { lookup } from 'node:dns/promises';
import type { StreamOptions } from '../audio/stream-options.ts';
import { choiceOf, portOf } from '../audio/stream-parameters.ts';
import { findProgram } from '../base/children/find-program.ts';
import { messageOf } from '../base/errors.ts';
import { inspectAlsa } from './alsa-inspection.ts';
import { clipFileOf } from './clips-check.ts';
import type { DoctorContext } from './context.ts';
import { inspectFifo } from './fifo-inspection.ts';
import { type Finding, fault, note, warning } from './finding.ts';
import { inspectJack } from './jack-inspection.ts';
import { inspectNetwork } from './network-inspection.ts';
import { NoteTaker } from './note-taker.ts';
import { inspectPipeWire } from './pipewire-inspection.ts';
import { inspectAirplay, inspectLibrespot } from './player-inspection.ts';
import { tryPort } from './port-trial.ts';
import { refusalOf } from './server-user.ts';

type Inspection = (
  options: StreamOptions,
  context: DoctorContext,
) => Promise<readonly Finding[]> | readonly Finding[];

const inspections: ReadonlyMap<string, Inspection> = new Map<string, Inspection>([
  ['airplay', inspectAirplay],
  ['librespot', inspectLibrespot],
  ['spotify', inspectLibrespot],
  ['alsa', inspectAlsa],
  ['pipe', inspectFifo],
  ['clip', inspectClip],
  ['file', inspectFile],
  ['jack', inspectJack],
  ['pipewire', inspectPipeWire],
  ['process', inspectProgram],
  ['radio', inspectRadio],
  ['rtp', inspectNetwork],
  ['tcp', inspectTcp],
  ['udp', inspectNetwork],
]);

const defaultTcpPort = 4953;

/** Looks at where the audio of a stream comes from; its address was found to be right. */
export async function inspectInput(
  options: StreamOptions,
  context: DoctorContext,
): Promise<readonly Finding[]> {
  return (await inspections.get(options.uri.scheme)?.(options, context)) ?? [];
}

function inspectFile({ uri }: StreamOptions, { serverUser }: DoctorContext): readonly Finding[] {
  const refusal = refusalOf(serverUser, uri.path, 'read');
  if (refusal === undefined) return [];
  return [fault(refusal, `allow it: chmod o+r ${uri.path}, and o+x for its folders`)];
}

function inspectClip({ uri }: StreamOptions, context: DoctorContext): readonly Finding[] {
  const { serverUser } = context;
  const path = clipFileOf(uri.path.slice(1), context);
  const refusal = refusalOf(serverUser, path, 'read');
  return refusal === undefined ? [] : [fault(refusal, `chown ${serverUser.name} ${path}`)];
}

/** Asks the station, and hangs up. */
async function inspectRadio(options: StreamOptions): Promise<readonly Finding[]> {
  const [{ radioAddressOf }, { faultText }, { findStation }, { AddressRules }] = await Promise.all([
    import('../audio/sources/radio/radio-address.ts'),
    import('../audio/sources/url-access.ts'),
    import('../audio/sources/radio/station.ts'),
    import('../base/net/address-rules.ts'),
  ]);
  const hangUp = new AbortController();
  try {
    const address = radioAddressOf({ ...options, logger: new NoteTaker() });
    const rules = new AddressRules(['*']);
    const found = await findStation(address.url, { ...address, rules, signal: hangUp.signal });
    if ('listUrl' in found) return [note('its station answers: HLS')];
    found.body.close();
    const { name = 'without a name', kbps } = found.about;
    const rate = kbps === undefined ? '' : `, ${kbps} kbit/s`;
    return [note(`its station answers: ${name}, ${found.type}${rate}`)];
  } catch (error) {
    return [
      warning(`its station is not heard: ${faultText(error)}`, 'see whether it plays elsewhere'),
    ];
  } finally {
    hangUp.abort();
  }
}

function inspectProgram({ uri }: StreamOptions, { serverUser }: DoctorContext): readonly Finding[] {
  const program = findProgram(uri.path);
  const refusal = refusalOf(serverUser, program, 'execute');
  const findings = refusal === undefined ? [] : [fault(refusal, `chmod 755 ${program}`)];
  if (program === uri.path) return findings;
  return [note(`${uri.path} does not exist, ${program} of PATH is used`), ...findings];
}

async function inspectTcp(
  { uri }: StreamOptions,
  context: DoctorContext,
): Promise<readonly Finding[]> {
  const port = uri.port ?? portOf(uri, 'port', defaultTcpPort);
  const isServer = choiceOf(uri, 'mode', ['server', 'client']) === 'server';
  if (uri.hostname !== '') {
    try {
      await lookup(uri.hostname);
    } catch (error) {
      const text = `the host ${uri.hostname} is unknown (${messageOf(error)})`;
      return [fault(text, isServer ? 'write 0.0.0.0 for every address' : 'correct the host name')];
    }
  }
  if (!isServer || port === 0) return [];
  const addresses = [uri.hostname || '::'];
  return tryPort({ setting: `port of ${uri.scheme}`, addresses, port }, context);
}
