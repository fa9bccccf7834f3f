import { likelyWord } from '../base/nearest-word.ts';
import type { StreamUri } from './stream-uri.ts';

/** Every stream has these. Source: protocol reference, 15.1. */
const common = [
  'name',
  'codec',
  'sampleformat',
  'chunk_ms',
  'controlscript',
  'controlscriptparams',
  'idle_threshold',
  'silence_threshold_percent',
  'send_silence',
  'packed_s24le',
  'announce',
];
/** Of those that are mixed over others: how they are. */
export const announcingParameters: readonly string[] = [
  'duck_db',
  'attack_ms',
  'hold_ms',
  'release_ms',
  'gain_db',
  'volume',
  'override_mute',
  'priority',
  'max_seconds',
];

const librespot: readonly string[] = [
  ...['devicename', 'username', 'password', 'bitrate', 'volume', 'cache', 'disable_audio_cache'],
  ...['normalize', 'autoplay', 'onevent', 'killall', 'wd_timeout', 'params'],
];
const networkParameters = [
  'port',
  'encoding',
  'payload_type',
  'ssrc',
  'source',
  'iface',
  'jitter_ms',
  'buffer_ms',
  'sdp',
  'sap',
  'session',
];

/** By scheme, those of its own; what other schemes have is not known. */
const own: ReadonlyMap<string, readonly string[]> = new Map([
  ['airplay', ['devicename', 'port', 'password', 'params']],
  ['alsa', ['device']],
  ['clip', []],
  ['file', []],
  ['jack', ['server_name', 'autoconnect', 'autoconnect_skip']],
  ['librespot', librespot],
  ['meta', ['mode', 'missing', 'hold_ms', 'fade_ms']],
  ['pipe', ['mode']],
  ['pipewire', ['target', 'capture_sink', 'remote', 'runtime_dir']],
  ['process', ['params', 'wd_timeout', 'log_stderr', 'format', 'on_demand', 'linger_ms']],
  ['radio', ['url', 'format', 'prebuffer_ms', 'title', 'user_agent', 'on_demand', 'linger_ms']],
  ['spotify', librespot],
  ['rtp', networkParameters],
  ['snap', []],
  ['tcp', ['mode', 'port']],
  ['udp', ['mode', ...networkParameters]],
  ['tone', ['freq', 'pattern', 'level']],
]);

/** Kinds that hear this machine all the time: most of that is silence, which is not sent unless asked for. */
export const capturingSchemes: ReadonlySet<string> = new Set(['alsa', 'jack', 'pipewire']);

/** Programs that have one format only, whatever the address says. Source: protocol reference, 15.3. */
export const playedFormat = '44100:16:2';
const players: readonly string[] = ['airplay', 'librespot', 'spotify'];

/** What `sampleformat` always is for a kind of source; `undefined` where it may be chosen. */
export function fixedFormat({ scheme }: StreamUri): string | undefined {
  return players.includes(scheme) ? playedFormat : undefined;
}

/** Controllers send addresses, too. */
const maxListed = 10;

/** What to say of the parameters that no source reads. Values are not shown: they may be secrets. */
export function unknownParameters({ scheme, query }: StreamUri): string[] {
  const ownNames = own.get(scheme);
  if (!ownNames) return [];
  const known = [...common, ...ownNames, ...('announce' in query ? announcingParameters : [])];
  const unknown = Object.keys(query).filter((key) => !known.includes(key));
  const sentences = unknown.slice(0, maxListed).map((key) => {
    const likely = likelyWord(key, known);
    return `the parameter "${key}" has no effect${likely ? `: ${likely} may be meant` : ''}`;
  });
  const unlisted = unknown.length - sentences.length;
  return unlisted > 0 ? [...sentences, `${unlisted} more parameters have no effect`] : sentences;
}
