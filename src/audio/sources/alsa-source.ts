import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findProgram } from '../../base/children/find-program.ts';
import { SourceError } from '../../base/errors.ts';
import {
  type AlsaSettings,
  loadNativeAddon,
  type NativeAddon,
  type NativeAddonResult,
} from '../../base/native/native-addon.ts';
import { within } from '../../base/time/within.ts';
import { SampleFormat } from '../sample-format.ts';
import { badParameter, textOf } from '../stream-parameters.ts';
import { captureSource } from './capture-source.ts';
import { type ProgramContext, type ProgramHint, programSource } from './program-source.ts';
import { type SourceContext, type StreamSource, warnOfAddress } from './stream-source.ts';

const run = promisify(execFile);

const usualDevice = 'hw:0';
/** As long as the usual chunk: it is read less often than that. */
const periodUs = 20_000;
/** What the device keeps while nothing is read. */
const bufferUs = 500_000;
const firstRetryMs = 100;
/** A device may be plugged in at any time. */
const slowestRetryMs = 1000;
/** As each try is a program that starts. */
const slowestProgramRetryMs = 2000;
/** A device that hangs when it is opened is not waited for. */
const trialMs = 2000;

const alsaFormats = { 8: 'S8', 16: 'S16_LE', 24: 'S24_LE', 32: 'S32_LE' } as const;

/** More than a busy machine causes. */
const maxOverruns = 20;
const overrunWindowMs = 1000;

/** What to do about what libasound and `arecord` say. */
export const alsaHints: readonly ProgramHint[] = [
  [/resource busy/i, 'another program has the device: "fuser -v /dev/snd/*" shows which'],
  [
    /permission denied|operation not permitted/i,
    'put the user of the server into the group audio: usermod -a -G audio USER',
  ],
  [
    /channels count non available|has not \d+ channels/i,
    'name the channels that it has in sampleformat=RATE:BITS:CHANNELS, or convert by device=plughw:…',
  ],
  [
    /sample format non available|has no \d+ bit/i,
    'name the bits that it has in sampleformat=RATE:BITS:CHANNELS, or convert by device=plughw:…',
  ],
  [/has no \d+ Hz/, 'name a rate that it has in sampleformat=RATE:BITS:CHANNELS'],
  [
    /no such (file|device)|unknown pcm|cannot get card/i,
    '"arecord -L" and "arecord -l" list the devices that there are',
  ],
];

/** A way to hear a device. */
interface AlsaWay {
  /** The nearest rate that the device has. Failure: rejects where it cannot be opened. */
  nearestRate(): Promise<number>;
  open(context: SourceContext): StreamSource;
}

/**
 * Hears a device of ALSA: `alsa:///?name=…[&device=hw:0]`.
 *
 * By the system's libasound where the addon finds it, else by the program `arecord`. The device is the
 * clock; where it has not the rate that is asked for, the stream gets the nearest that it has.
 */
export async function openAlsaSource(
  context: SourceContext,
  native: NativeAddonResult = loadNativeAddon(),
): Promise<StreamSource> {
  const way = alsaWayOf(context, native);
  const rateHz = await way.nearestRate().catch(() => undefined);
  return way.open(rateHz === undefined ? context : withRate(context, rateHz));
}

function alsaWayOf(context: SourceContext, native: NativeAddonResult): AlsaWay {
  const device = textOf(context.uri, 'device') ?? usualDevice;
  if (device.includes('\0')) throw badParameter(context.uri, 'device', 'leave the zero byte out');
  const addon = 'addon' in native ? native.addon : undefined;
  const { startAlsa, tryAlsa } = addon ?? {};
  const hasLibrary = addon?.findLibasound && 'version' in addon.findLibasound();
  return startAlsa && tryAlsa && hasLibrary
    ? wayByLibrary(context, device, { startAlsa, tryAlsa })
    : wayByProgram(context, device);
}

function wayByLibrary(
  context: SourceContext,
  device: string,
  { startAlsa, tryAlsa }: Required<Pick<NativeAddon, 'startAlsa' | 'tryAlsa'>>,
): AlsaWay {
  const settingsOf = ({ format, packed24 }: SourceContext): AlsaSettings => {
    const { rateHz, bits, channels } = format;
    return { device, rateHz, bits, channels, packed24, periodUs, bufferUs };
  };
  return {
    async nearestRate() {
      const found = await within(tryAlsa(settingsOf(context)), trialMs);
      if (!found) throw new SourceError('device-hangs', 'it hangs when it is opened');
      if ('reason' in found) throw new SourceError('no-device', found.reason);
      return found.rateHz;
    },
    open: (context) =>
      captureSource(context, {
        name: device,
        start: () => startAlsa(settingsOf(context)),
        hints: alsaHints,
        firstRetryMs,
        slowestRetryMs,
      }),
  };
}

/** Failure: throws a `SourceError` when `arecord` is not installed. */
function wayByProgram(context: SourceContext, device: string): AlsaWay {
  const program = findProgram('/usr/bin/arecord', process.env.PATH, 'alsa-utils');
  const environment = { LC_ALL: 'C' };
  const argsOf = ({ format, packed24 }: SourceContext) => [
    ...['-v', '-t', 'raw', `--device=${device}`],
    ...['-f', packed24 ? 'S24_3LE' : alsaFormats[format.bits]],
    ...['-r', `${format.rateHz}`, '-c', `${format.channels}`],
    ...[`--period-time=${periodUs}`, `--buffer-time=${bufferUs}`],
  ];
  return {
    async nearestRate() {
      const options = { timeout: trialMs, env: { ...process.env, ...environment } };
      const asked = [...argsOf(context), '--samples=1', '/dev/null'];
      const { stderr } = await run(program, asked, options).catch(({ stderr }) => {
        throw new SourceError('no-device', String(stderr).trim().split('\n').at(-1) ?? '');
      });
      return rateIn(stderr) ?? context.format.rateHz;
    },
    open: (context) =>
      programSource(context, (own) => ({
        prepare: () => ({ program, args: argsOf(context), environment }),
        watchdogMs: 0,
        restartMs: [firstRetryMs, slowestProgramRetryMs],
        hints: alsaHints,
        line: lineReader(context, own),
      })),
  };
}

/** Reads what `arecord` says besides the reason of its end. */
function lineReader(
  { format: { rateHz } }: SourceContext,
  { log, restart }: ProgramContext,
): (line: string) => void {
  let overruns = 0;
  let countedMs = 0;
  return (line) => {
    if ((rateIn(line) ?? rateHz) !== rateHz) restart(`the device has no ${rateHz} Hz`);
    if (!line.startsWith('overrun')) return;
    log.foreign('warn', 'device was not read in time', { line });
    const nowMs = performance.now();
    if (nowMs - countedMs > overrunWindowMs) [countedMs, overruns] = [nowMs, 0];
    overruns += 1;
    // It would go on for ever with a device that is gone behind a plug-in.
    if (overruns === maxOverruns) restart('the device fails again and again');
  };
}

/** The first is that of the device, which is followed by those of its parts. */
function rateIn(verbose: string): number | undefined {
  const [, rateHz] = /^ *exact rate *: (\d+)/m.exec(verbose) ?? [];
  return rateHz === undefined ? undefined : Number(rateHz);
}

function withRate(context: SourceContext, rateHz: number): SourceContext {
  const { format, uri, logger } = context;
  if (rateHz === format.rateHz) return context;
  const reason = `the device has no ${format.rateHz} Hz: the stream has its ${rateHz} Hz`;
  warnOfAddress(logger, uri, reason);
  return { ...context, format: new SampleFormat({ ...format, rateHz }) };
}
