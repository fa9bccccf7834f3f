import { isIPv6 } from 'node:net';
import { parseArgs } from 'node:util';
import { ConfigError, messageOf } from '../base/errors.ts';
import { quoted } from '../config/report.ts';
import { machineName } from './machine-name.ts';

export interface ProbeOptions {
  readonly host: string;
  readonly port: number;
  /** Listen for this long; without it until interrupted. */
  readonly seconds: number | undefined;
  readonly json: boolean;
  readonly wavFile: string | undefined;
  readonly id: string;
  /** The user has given it no id: it shall leave nothing behind. */
  readonly isVisitor: boolean;
  /** Where the server is asked to forget it; absent: nowhere. */
  readonly controlPort: number | undefined;
}

export const probeUsage = `usage: zerocast probe [host[:port]] [options]

Connects like a player, listens, and says whether the stream is whole.

  --seconds N   stop after N seconds (default: until interrupted)
  --json        one JSON object per second instead of a line, the last with "done": true
  --wav FILE    record what a player would play, in real time order
  --id ID       client id to announce, and to stay in the list of clients (default: one id per
                machine, which the server forgets)

exit status: 0 the stream was whole, 1 it was not, 2 wrong usage or no connection`;

const defaultPort = 1704;
const maxPort = 65_535;
const maxSeconds = 7 * 86_400;

/** Failure: throws a `ConfigError` that says what is wrong. */
export function parseProbeOptions(args: readonly string[]): ProbeOptions {
  const { values, positionals } = parse(args);
  const [address = '127.0.0.1', surplus] = positionals;
  if (surplus !== undefined) throw usageError(`one server at a time, not ${quoted(surplus)}`);
  const { host, port } = parseAddress(address);
  return {
    host,
    port,
    controlPort: port + 1 > maxPort ? undefined : port + 1,
    seconds: values.seconds === undefined ? undefined : parseSeconds(values.seconds),
    json: values.json,
    wavFile: values.wav,
    id: values.id ?? `zerocast-probe-${machineName()}`,
    isVisitor: values.id === undefined,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        seconds: { type: 'string' },
        json: { type: 'boolean', default: false },
        wav: { type: 'string' },
        id: { type: 'string' },
      },
    });
  } catch (error) {
    throw usageError(`the arguments are not understood: ${quoted(messageOf(error))}`);
  }
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= maxSeconds)) {
    throw usageError(`--seconds ${quoted(text)} must be a number above 0 and up to ${maxSeconds}`);
  }
  return seconds;
}

/** `host`, `host:port`, an IPv6 literal, or one in brackets with or without `:port`. */
function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s]*))(?::(\d+))?$/.exec(text);
  if (isIPv6(text)) return { host: text, port: defaultPort };
  const port = Number(match?.[3] ?? defaultPort);
  const host = match?.[1] ?? match?.[2] ?? '';
  const isValid = host !== '' && port >= 1 && port <= maxPort;
  if (!isValid) throw usageError(`${quoted(text)} is no host[:port]`);
  return { host, port };
}

function usageError(fault: string): ConfigError {
  return new ConfigError('usage', `${fault}\n\n${probeUsage}`);
}
