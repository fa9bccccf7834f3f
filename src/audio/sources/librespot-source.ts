import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitCommandLine } from '../../base/children/command-line.ts';
import { SourceError } from '../../base/errors.ts';
import type { SeverityName } from '../../base/logger.ts';
import { choiceOf, flagOf, numberOf, textOf } from '../stream-parameters.ts';
import { noProperties } from '../stream-properties.ts';
import { LibrespotEvents } from './librespot-events.ts';
import { hookFifoVariable, hookNextVariable, librespotHook } from './librespot-hook.ts';
import { deviceName, findPlayer, playedContext } from './player-program.ts';
import { ProgramFifo } from './program-fifo.ts';
import type { ProgramLog } from './program-log.ts';
import { programSource } from './program-source.ts';
import { parametersOf, type SourceContext, type StreamSource } from './stream-source.ts';

const volumeRange = { fallback: 100, min: 0, max: 100, unit: 'percent' };
/** It tells of its connection more often than every two hours. */
const watchdogRange = { fallback: 7800, min: 0, max: 86_400, unit: 'seconds' };

const severities: Readonly<Record<string, SeverityName>> = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
};
const logLine = /^\[\S+ (TRACE|DEBUG|INFO|WARN|ERROR) +([^\]\s]+)\] ?(.*)$/;

const hints = [
  [
    /no credentials provided|Could not initiali[sz]e discovery|Discovery is unavailable/i,
    'apps find it by multicast: in a container use the network of the host, else check the firewall',
  ],
  [
    /Bad ?credentials|Login failed|Connection failed: Login/i,
    'Spotify refused the login: take stored credentials or the token away, and choose the player in its app',
  ],
] as const;

/** Spotify Connect by the program `librespot`: `librespot:///[path][?devicename=…][&bitrate=320]…` */
export function createLibrespotSource(context: SourceContext): StreamSource {
  const { uri } = context;
  const program = findPlayer(uri, 'librespot');
  const given = givenArguments(context);
  const watchdogMs = 1000 * numberOf(parametersOf(context), 'wd_timeout', watchdogRange);
  const next = textOf(uri, 'onevent') ?? '';
  return programSource(playedContext(context), ({ log, tell }) => {
    const lines = new LogLines(log);
    let fifo: ProgramFifo | undefined;
    let events: LibrespotEvents | undefined;
    return {
      async prepare() {
        const told = new LibrespotEvents(tell);
        fifo = await ProgramFifo.make((data) => told.write(data));
        events = told;
        const hook = join(fifo.folder, 'onevent');
        writeFileSync(hook, librespotHook, { mode: 0o600 });
        return {
          program,
          args: [...given, '--onevent', `/bin/sh ${hook}`, '--verbose'],
          environment: { [hookFifoVariable]: fifo.path, [hookNextVariable]: next },
        };
      },
      watchdogMs,
      line(line) {
        lines.take(line);
        events?.takeLog(line);
      },
      hints,
      ended() {
        fifo?.close();
        fifo = undefined;
        events = undefined;
        tell(noProperties);
      },
    };
  });
}

/** Failure: throws a `SourceError` for what librespot, or we, will not do. */
function givenArguments(context: SourceContext): readonly string[] {
  const { uri } = context;
  const parameters = parametersOf(context);
  const fault = (text: string) =>
    new SourceError('bad-parameter', `stream "${uri.query.name ?? ''}": ${text}`);
  if (['username', 'password'].some((key) => textOf(uri, key) !== undefined)) {
    throw fault(
      'Spotify takes no user name and password any more: leave username and password out and choose ' +
        'the player in its app, or give cache=DIR with stored credentials, or params=--access-token ...',
    );
  }
  const params = splitCommandLine(uri.query.params ?? '');
  if (params.some((word) => /^(?:--onevent(?:=|$)|-o)/.test(word))) {
    throw fault(
      '--onevent (-o) in params would hide what is played: write onevent=PROGRAM instead',
    );
  }
  if (flagOf(parameters, 'killall', false)) {
    parameters.warn(
      'killall=true has no effect: it would end programs that are not of this server',
    );
  }
  const option = (key: string, name: string) => {
    const value = textOf(uri, key);
    return value === undefined ? [] : [name, value];
  };
  const flag = (key: string, ...words: string[]) => (flagOf(parameters, key, false) ? words : []);
  const volume = Math.round(numberOf(parameters, 'volume', volumeRange));
  return [
    ...params,
    ...['--name', deviceName(uri), '--bitrate', choiceOf(uri, 'bitrate', ['320', '160', '96'])],
    ...['--backend', 'pipe', '--initial-volume', `${volume}`],
    ...option('cache', '--cache'),
    ...flag('disable_audio_cache', '--disable-audio-cache'),
    ...flag('normalize', '--enable-volume-normalisation'),
    ...flag('autoplay', '--autoplay', 'on'),
  ];
}

/** Puts the lines of librespot into the log as severe as it says; what follows one belongs to it. */
class LogLines {
  readonly #log: ProgramLog;
  #severity: SeverityName = 'info';
  #module = '';

  constructor(log: ProgramLog) {
    this.#log = log;
  }

  take(text: string): void {
    const [, level = '', module = '', line = text] = logLine.exec(text) ?? [];
    if (level !== '') {
      this.#severity = severities[level] ?? 'info';
      this.#module = module;
    }
    const fields = { ...(this.#module !== '' && { module: this.#module }), line };
    this.#log.foreign(this.#severity, 'program says', fields);
  }
}
