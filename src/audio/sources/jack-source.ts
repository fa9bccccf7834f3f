import { SourceError } from '../../base/errors.ts';
import {
  loadNativeAddon,
  type NativeAddonResult,
  type NativeCapture,
} from '../../base/native/native-addon.ts';
import type { SampleFormat } from '../sample-format.ts';
import { badParameter, numberOf, textOf } from '../stream-parameters.ts';
import { captureSource } from './capture-source.ts';
import { findJackProgram, JackPorts } from './jack-ports.ts';
import { type ProgramHint, programSource } from './program-source.ts';
import { parametersOf, type SourceContext, type StreamSource } from './stream-source.ts';

/** After the server has shut down, and at most. */
const restartMs = [1000, 5000] as const;
/** EINVAL. */
const invalid = 22;
const maxPatternLength = 256;
/** Each is a copy of what is repeated. */
const maxRepetitions = 255;
const skipRange = { fallback: 0, min: 0, max: 10_000 };
/** None has it: that jack-stdout cannot connect it tells by which name it is known. */
const absentPort = 'zerocast:none';

/** The memory of its server is one for all of libjack: a second server takes the place of the first. */
const heard = { server: '', captures: 0 };

export const jackHints: readonly ProgramHint[] = [
  [
    /no JACK server|server is not running|Cannot connect to server/i,
    'start JACK as the user that this server runs as; server_name has to be that of jackd -n',
  ],
  [/runs at \d+ Hz/, 'name the rate of JACK in sampleformat=RATE:BITS:CHANNELS'],
  [/one at a time/, 'let another Zerocast hear the other JACK server'],
  [/regular expression|grep:/, 'write an extended regular expression, as grep -E takes it'],
];

/** What an address asks of JACK. */
interface JackWish {
  readonly server: string | undefined;
  /** Which output ports are connected; absent: none. */
  readonly pattern: string | undefined;
  readonly skippedPorts: number;
}

/**
 * Hears what is connected to it in JACK:
 * `jack:///?name=…[&server_name=][&autoconnect=<regex>][&autoconnect_skip=0]`.
 *
 * By the system's libjack where the addon finds it, else by the program `jack-stdout`.
 */
export function createJackSource(
  context: SourceContext,
  native: NativeAddonResult = loadNativeAddon(),
): StreamSource {
  const { uri, format } = context;
  if (format.bits === 8) {
    throw badParameter(uri, 'sampleformat', `JACK gives 16, 24 or 32 bits, not ${format}`);
  }
  const wish = wishOf(context);
  const addon = 'addon' in native ? native.addon : undefined;
  const startJack = addon?.findLibjack?.() === undefined ? addon?.startJack : undefined;
  if (!startJack) return sourceByProgram(context, wish);
  const { rateHz, bits, channels } = format;
  const { server, pattern, skippedPorts } = wish;
  return captureSource(
    { ...context, packed24: false },
    {
      name: server ?? 'JACK',
      start: () =>
        hearAlone(server, () =>
          startJack({
            ...{ name: uri.query.name ?? '', rateHz, bits, channels, skippedPorts },
            ...(server !== undefined && { server }),
            ...(pattern !== undefined && { pattern }),
          }),
        ),
      // The same would be said again.
      isFinal: ({ error }) => error === invalid,
      hints: jackHints,
      firstRetryMs: restartMs[0],
      slowestRetryMs: restartMs[1],
    },
  );
}

/** Failure: throws a `SourceError` while another JACK server is heard. */
function hearAlone(server: string | undefined, start: () => NativeCapture): NativeCapture {
  const name = server ?? process.env.JACK_DEFAULT_SERVER ?? 'default';
  if (heard.captures > 0 && heard.server !== name) {
    const reason = `libjack hears the JACK server "${heard.server}", and one at a time`;
    throw new SourceError('other-server', reason);
  }
  const capture = start();
  heard.server = name;
  heard.captures += 1;
  return {
    ...capture,
    async stop() {
      const isFree = await capture.stop();
      if (isFree) heard.captures -= 1;
      return isFree;
    },
  };
}

function wishOf(context: SourceContext): JackWish {
  const { uri } = context;
  const parameters = parametersOf(context);
  const pattern = uri.query.autoconnect;
  if (pattern === '') {
    parameters.warn(
      'autoconnect= is empty and connects whatever there is: name the ports, or leave it away',
    );
  }
  if (pattern !== undefined && pattern.length > maxPatternLength) {
    throw badParameter(uri, 'autoconnect', `it has at most ${maxPatternLength} characters`);
  }
  // Nested repetitions can need any amount of memory.
  if ((pattern?.match(/\{/g) ?? []).length > 1) {
    throw badParameter(uri, 'autoconnect', 'write at most one {…} in it');
  }
  const repetitions = (pattern?.match(/(?<=\{[\d,]*)\d+/g) ?? []).map(Number);
  if (repetitions.some((count) => count > maxRepetitions)) {
    throw badParameter(uri, 'autoconnect', `{…} repeats at most ${maxRepetitions} times`);
  }
  const skippedPorts = numberOf(parameters, 'autoconnect_skip', skipRange);
  return { server: textOf(uri, 'server_name'), pattern, skippedPorts };
}

/**
 * Failure: throws a `SourceError` when the program is not installed.
 */
function sourceByProgram(context: SourceContext, wish: JackWish): StreamSource {
  const program = findJackProgram('jack-stdout', 'jack-stdio');
  const { format } = context;
  const { pattern, skippedPorts, server } = wish;
  const bits = format.bits === 16 ? 16 : 24;
  const absent = Array.from({ length: format.channels }, () => absentPort);
  const environment = {
    JACK_NO_START_SERVER: '1',
    ...(server !== undefined && { JACK_DEFAULT_SERVER: server }),
  };
  // Its 24 bit lie in three bytes; all of 32 bit that a float of JACK has are in them.
  const packed = { ...context, packed24: bits === 24 };
  return programSource(packed, ({ log, fail }) => {
    const ports =
      pattern === undefined
        ? undefined
        : new JackPorts({ pattern, skippedPorts, environment, log, onFailure: fail });
    return {
      prepare: () => ({ program, args: ['-b', `${bits}`, ...absent], environment }),
      watchdogMs: 0,
      line(text) {
        const [, client] = /^cannot connect input port (.*):input1 to /.exec(text) ?? [];
        if (client !== undefined) ports?.begin(client, format.channels);
        const [, rate] = /@(\d+)SPS/.exec(text) ?? [];
        if (rate !== undefined && Number(rate) !== format.rateHz)
          fail(wrongRate(Number(rate), format));
      },
      ended: () => ports?.end(),
      noise: /^cannot connect input port |^JackShm/,
      hints: jackHints,
      restartMs,
    };
  });
}

function wrongRate(rateHz: number, { bits, channels, rateHz: own }: SampleFormat): SourceError {
  const fault = `the JACK server runs at ${rateHz} Hz, not at ${own}`;
  return new SourceError(
    'wrong-rate',
    `JACK cannot be heard: ${fault}: write sampleformat=${rateHz}:${bits}:${channels}`,
  );
}
