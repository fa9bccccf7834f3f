import type { StreamOptions } from '../audio/stream-options.ts';
import { textOf } from '../audio/stream-parameters.ts';
import type { DoctorContext } from './context.ts';
import { type Finding, fault, warning } from './finding.ts';
import { userNameOf } from './server-user.ts';

/** Where JACK has its sockets, by their names: `jack_<server>_<user>_0`. */
const folders = ['/dev/shm', '/tmp'];
/** ENOENT. */
const absent = 2;
const rateAdvice = 'name the rate of JACK in sampleformat=RATE:BITS:CHANNELS';

/** Whether JACK is there, lets the server in, and runs at the rate of the stream. */
export async function inspectJack(
  options: StreamOptions,
  context: DoctorContext,
): Promise<readonly Finding[]> {
  const { serverUser, environment, files } = context;
  const server = textOf(options.uri, 'server_name') ?? environment.JACK_DEFAULT_SERVER ?? 'default';
  const tried = await tryJack(options, server, context);
  if (tried === 'heard') return [];
  if (tried !== undefined) return [fault(`JACK cannot be heard: ${tried}`, rateAdvice)];
  const owners = folders
    .flatMap((folder) => files.entries(folder))
    .filter((name) => name.startsWith(`jack_${server}_`))
    .map((name) => Number(/_(\d+)_0$/.exec(name.slice(`jack_${server}`.length))?.[1]))
    .filter(Number.isInteger);
  if (owners.includes(serverUser.uid)) return [];
  const [owner] = owners;
  if (owner === undefined) {
    const text = `there is no JACK server "${server}": the stream waits for it`;
    return [warning(text, `start it as ${serverUser.name}; server_name is that of jackd -n`)];
  }
  const text = `the JACK server "${server}" is that of ${userNameOf(owner)}, who alone may use it`;
  return [
    fault(text, `let the server run as the same user: user = ${userNameOf(owner)} in [server]`),
  ];
}

/** Becomes a client for a moment, where the doctor is the same user as the server; `undefined`: there is no server. */
async function tryJack(
  { uri, format: { rateHz, channels, bits } }: StreamOptions,
  server: string,
  { native, serverUser }: DoctorContext,
): Promise<string | undefined> {
  const addon = 'addon' in native ? native.addon : undefined;
  if (!serverUser.isOwn || !addon?.tryJack || addon.findLibjack?.() !== undefined) return undefined;
  const settings = { name: uri.query.name ?? '', server, rateHz, channels, bits, skippedPorts: 0 };
  const found = await addon.tryJack(settings);
  if ('rateHz' in found) return 'heard';
  return found.error === absent ? undefined : found.reason;
}
