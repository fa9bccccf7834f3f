import { ConfigError } from '../base/errors.ts';
import type { CertificateRequest } from '../certificates/server-certificate.ts';
import type { ClipsRequest } from '../clips/clips-command.ts';
import {
  type Argument,
  type Reader,
  Reading,
  splitArgument,
  takeValueOf,
} from '../config/argument-reading.ts';
import type { Assignment } from '../config/ini-text.ts';
import { nearestOption } from '../config/nearest.ts';
import { quoted } from '../config/report.ts';

/** What the command line asks for. */
export type Command =
  | { readonly kind: 'help'; readonly all: boolean }
  | { readonly kind: 'version' }
  | { readonly kind: 'codec-help'; readonly codec: string }
  | { readonly kind: 'probe'; readonly args: readonly string[] }
  | { readonly kind: 'hash-password' }
  | {
      readonly kind: 'token';
      readonly user: string;
      readonly hours: number;
      readonly configFile?: string;
      readonly overrides: readonly Assignment[];
    }
  | {
      readonly kind: 'doctor';
      readonly configFile?: string;
      readonly overrides: readonly Assignment[];
      readonly json: boolean;
      readonly isDaemon: boolean;
    }
  | {
      readonly kind: 'clips';
      readonly request: ClipsRequest;
      readonly configFile?: string;
      readonly overrides: readonly Assignment[];
      readonly isDaemon: boolean;
    }
  | {
      readonly kind: 'make-certificate';
      readonly request: CertificateRequest;
      readonly configFile?: string;
      readonly overrides: readonly Assignment[];
      readonly isDaemon: boolean;
    }
  | {
      readonly kind: 'serve';
      readonly configFile?: string;
      readonly overrides: readonly Assignment[];
      /** Absent: in the foreground. */
      readonly daemon?: {
        /** Nice value; 0: unchanged. */
        readonly priority: number;
      };
      /** Sentences to log once the log is open. */
      readonly warnings: readonly string[];
    };

/**
 * Reads the arguments behind the name of the program.
 *
 * Failure: throws one `ConfigError` that lists every fault.
 * Source: protocol reference, section 18.
 */
export function parseCommandLine(argv: readonly string[]): Command {
  const [first = '', ...rest] = argv;
  const parse = subCommands.get(first);
  return parse ? parse(rest) : parseServe(argv);
}

const subCommands: ReadonlyMap<string, (args: readonly string[]) => Command> = new Map([
  ['probe', (args: readonly string[]): Command => ({ kind: 'probe', args })],
  ['hash-password', parseHashPassword],
  ['token', parseToken],
  ['doctor', parseDoctor],
  ['clips', parseClips],
  ['make-certificate', parseMakeCertificate],
]);

function parseServe(argv: readonly string[]): Command {
  const reading = new Reading(argv, serveReaders, { isLenient: true });
  while (reading.hasNext()) readArgument(reading);
  return commandOf(reading);
}

function parseHashPassword(args: readonly string[]): Command {
  if (args.some((arg) => arg === '-h' || arg === '--help')) return { kind: 'help', all: false };
  if (args.length === 0) return { kind: 'hash-password' };
  // Does not repeat the argument: it may be the password.
  throw commandLineError([
    'hash-password takes no argument: it reads the password from the terminal or standard input',
  ]);
}

/** How long a token is valid unless the user says otherwise. Source: protocol reference, 13. */
const usualTokenHours = 10;
/** Ten years: longer looks like a mistake. */
const maxTokenHours = 87_600;

function parseToken(args: readonly string[]): Command {
  const reading = new Reading(args, tokenReaders);
  const user = reading.takeValue();
  while (reading.hasNext()) readArgument(reading);
  const { configFile, overrides, faults, hours = usualTokenHours } = reading;
  if (reading.helpCount > 0) return { kind: 'help', all: reading.helpCount > 1 };
  if (user === undefined) faults.unshift('token needs a user: token <user> [--hours N]');
  if (user === undefined || faults.length > 0) throw commandLineError(faults);
  return { kind: 'token', user, hours, ...(configFile !== undefined && { configFile }), overrides };
}

function parseDoctor(args: readonly string[]): Command {
  const reading = new Reading(args, doctorReaders);
  while (reading.hasNext()) readArgument(reading);
  const { configFile, overrides, faults, flags, daemon } = reading;
  const json = flags.has('--json');
  if (reading.helpCount > 0) return { kind: 'help', all: reading.helpCount > 1 };
  if (faults.length > 0) throw commandLineError(faults);
  const file = configFile === undefined ? {} : { configFile };
  return { kind: 'doctor', ...file, overrides, json, isDaemon: daemon !== undefined };
}

function parseClips(args: readonly string[]): Command {
  const reading = new Reading(args, clipsReaders);
  const words: string[] = [];
  while (reading.hasNext()) {
    const word = reading.takeValue();
    if (word === undefined) readArgument(reading);
    else words.push(word);
  }
  if (reading.helpCount > 0) return { kind: 'help', all: reading.helpCount > 1 };
  const { configFile, overrides, faults, daemon } = reading;
  const request = clipsRequestOf(words, reading);
  if (faults.length > 0 || !request) throw commandLineError(faults);
  const file = configFile === undefined ? {} : { configFile };
  return { kind: 'clips', request, ...file, overrides, isDaemon: daemon !== undefined };
}

function clipsRequestOf(
  [action = '', ...words]: readonly string[],
  { faults, flags, name }: Reading,
): ClipsRequest | undefined {
  const json = flags.has('--json');
  const replace = flags.has('--replace');
  if (action !== 'add' && (replace || name !== undefined)) {
    faults.push('--replace and --name belong to clips add');
  }
  if (action !== 'list' && json) faults.push('--json belongs to clips list');
  if (action === 'list') {
    if (words.length > 0) faults.push('clips list shows all clips: it takes no name');
    return { action, json };
  }
  if (action !== 'add' && action !== 'remove') {
    const what =
      action === '' ? 'clips needs to know what to do' : `clips knows no ${quoted(action)}`;
    faults.push(`${what}: clips list, clips add FILE..., clips remove NAME...`);
    return undefined;
  }
  if (words.length === 0) faults.push(`clips ${action} needs at least one ${operands[action]}`);
  if (action === 'remove') return { action, names: words };
  if (name !== undefined && words.length > 1) faults.push('--name is for one FILE alone');
  return { action, files: words, replace, ...(name !== undefined && { name }) };
}

/** Phones refuse certificates of servers that are valid for longer. */
const maxCertificateDays = 825;
const usualCertificateDays = 730;

function parseMakeCertificate(args: readonly string[]): Command {
  const reading = new Reading(args, certificateReaders);
  const names: string[] = [];
  while (reading.hasNext()) {
    const name = reading.takeValue();
    if (name === undefined) readArgument(reading);
    else names.push(name);
  }
  if (reading.helpCount > 0) return { kind: 'help', all: reading.helpCount > 1 };
  const { configFile, overrides, faults, daemon, flags } = reading;
  const { days = usualCertificateDays } = reading;
  const isSelfSigned = flags.has('--self-signed');
  if (flags.has('--renew') && (flags.has('--replace') || isSelfSigned)) {
    faults.push('--renew goes neither with --replace nor with --self-signed');
  }
  if (faults.length > 0) throw commandLineError(faults);
  const mode = flags.has('--renew') ? 'renew' : flags.has('--replace') ? 'replace' : 'new';
  return {
    kind: 'make-certificate',
    request: { names, mode, isSelfSigned, days },
    ...(configFile !== undefined && { configFile }),
    overrides,
    isDaemon: daemon !== undefined,
  };
}

const operands = { add: 'FILE', remove: 'NAME' } as const;

const commonReaders: readonly (readonly [string, Reader])[] = [
  ['-h', countHelp],
  ['--help', countHelp],
  ['-c', readConfigFile],
  ['--config', readConfigFile],
];

const tokenReaders: ReadonlyMap<string, Reader> = new Map([
  ...commonReaders,
  ['--hours', readHours],
]);

const serverReaders: typeof commonReaders = [
  ...commonReaders,
  ['-z', readZerocopy],
  ['--zerocopy', readZerocopy],
  ['-d', readDaemon],
  ['--daemon', readDaemon],
];

const doctorReaders: ReadonlyMap<string, Reader> = new Map([
  ...serverReaders,
  ['--json', readFlag],
]);

const clipsReaders: ReadonlyMap<string, Reader> = new Map([
  ...commonReaders,
  ['-d', readDaemon],
  ['--daemon', readDaemon],
  ['--json', readFlag],
  ['--replace', readFlag],
  ['--name', readName],
]);

const certificateReaders: ReadonlyMap<string, Reader> = new Map([
  ...commonReaders,
  ['-d', readDaemon],
  ['--daemon', readDaemon],
  ['--self-signed', readFlag],
  ['--renew', readFlag],
  ['--replace', readFlag],
  ['--days', readDays],
]);

/** Of server versions before the configuration file; start scripts still have them. */
const oldOptions: Readonly<Record<string, string>> = {
  '-s': 'stream.source',
  '--stream': 'stream.source',
  '-b': 'stream.buffer',
  '--buffer': 'stream.buffer',
  '-p': 'tcp-streaming.port',
  '--port': 'tcp-streaming.port',
  '--controlPort': 'tcp-control.port',
  '--codec': 'stream.codec',
  '--sampleformat': 'stream.sampleformat',
  '--streamBuffer': 'stream.chunk_ms',
  '--stream_buffer': 'stream.chunk_ms',
  '--sendToMuted': 'stream.send_to_muted',
  '--send_to_muted': 'stream.send_to_muted',
  '--user': 'server.user',
  '--group': 'server.group',
};

const serveReaders: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ...serverReaders,
  ['-v', wantVersion],
  ['--version', wantVersion],
  ...Object.entries(oldOptions).map(([option, name]): readonly [string, Reader] => [
    option,
    readOldOption(name),
  ]),
]);

function readArgument(reading: Reading): void {
  const text = reading.take();
  const argument = splitArgument(text);
  const reader = argument && reading.readers.get(argument.option);
  if (reader) {
    reader(argument, reading);
  } else if (argument && /^--[^.]+\../.test(argument.option)) {
    readOverride(argument, reading);
  } else if (argument) {
    const nearest = nearestOption(argument.option, [...reading.readers.keys()]);
    reading.ignore(
      `unknown option ${quoted(argument.option)}`,
      `; the nearest known one is ${nearest}`,
    );
  } else if (subCommands.has(text)) {
    reading.faults.push(`${quoted(text)} must come first: zerocast ${text}`);
  } else {
    reading.ignore(`argument ${quoted(text)}`, ': it belongs to no option');
  }
}

function countHelp({ attached = '' }: Argument, reading: Reading): void {
  reading.helpCount += 1 + (/^h+$/.test(attached) ? attached.length : 0);
}

function wantVersion(_argument: Argument, reading: Reading): void {
  reading.wantsVersion = true;
}

function readFlag({ option, attached }: Argument, reading: Reading): void {
  if (attached === undefined) reading.flags.add(option);
  else reading.faults.push(`option ${option} takes no value`);
}

function readName(argument: Argument, reading: Reading): void {
  reading.name = takeValueOf(argument, 'a name', reading);
}

/** Server versions of long ago named the codec with -c, and start scripts still do. */
const codecShape = /^(pcm|flac|ogg|opus|null)(:.*)?$/;

function readConfigFile(argument: Argument, reading: Reading): void {
  const value = takeValueOf(argument, 'a file name', reading);
  if (value === undefined) return;
  if (argument.option === '-c' && codecShape.test(value)) {
    pushOldOption({ section: 'stream', key: 'codec', value }, argument, reading);
  } else {
    reading.configFile = value;
  }
}

function readHours(argument: Argument, reading: Reading): void {
  const value = takeValueOf(argument, 'a number', reading);
  if (value === undefined) return;
  const hours = /^\d+(\.\d+)?$/.test(value) ? Number(value) : 0;
  if (hours > 0 && hours <= maxTokenHours) {
    reading.hours = hours;
  } else {
    reading.faults.push(
      `option --hours is ${quoted(value)}; allowed: a number above 0 and up to ${maxTokenHours}`,
    );
  }
}

function readDays(argument: Argument, reading: Reading): void {
  const value = takeValueOf(argument, 'a number', reading);
  if (value === undefined) return;
  const days = /^\d+$/.test(value) ? Number(value) : 0;
  if (days >= 1 && days <= maxCertificateDays) reading.days = days;
  else {
    reading.faults.push(
      `option --days is ${quoted(value)}; allowed: 1 to ${maxCertificateDays}, as phones refuse more`,
    );
  }
}

function readZerocopy({ option, attached }: Argument, reading: Reading): void {
  override({ section: 'stream', key: 'zerocopy', value: attached ?? 'true' }, option, reading);
}

/** What the kernel knows as nice values. Source: setpriority(2). */
const niceValues = { min: -20, max: 19 };

/** Only what is attached is its value: `-d -3` are two options. */
function readDaemon({ option, attached = '0' }: Argument, reading: Reading): void {
  const { min, max } = niceValues;
  if (!/^[+-]?\d+$/.test(attached)) {
    reading.faults.push(
      `option ${option} is ${quoted(attached)}; allowed: nothing, or a nice value from ${min} to ${max}`,
    );
    return;
  }
  const priority = Math.min(max, Math.max(min, Number(attached)));
  if (priority !== Number(attached)) {
    reading.warnings.push(`option ${option} is ${attached}, ${priority} is used instead`);
  }
  reading.daemon = { priority };
}

function readOldOption(name: string): Reader {
  const [section = '', key = ''] = name.split('.');
  // Alone it was a flag.
  const isFlag = key === 'send_to_muted';
  return (argument, reading) => {
    const value = isFlag
      ? (argument.attached ?? 'true')
      : takeValueOf(argument, 'a value', reading);
    if (value !== undefined) pushOldOption({ section, key, value }, argument, reading);
  };
}

function pushOldOption(given: Given, { option }: Argument, reading: Reading): void {
  const { section, key } = given;
  reading.warnings.push(`option ${option} is deprecated; write --${section}.${key}=... instead`);
  override(given, option, reading);
}

function readOverride(argument: Argument, reading: Reading): void {
  const value = takeValueOf(argument, 'a value', reading);
  if (value === undefined) return;
  const { option } = argument;
  const dot = option.indexOf('.');
  override({ section: option.slice(2, dot), key: option.slice(dot + 1), value }, option, reading);
}

type Given = Omit<Assignment, 'origin'>;

function override(given: Given, option: string, reading: Reading): void {
  reading.overrides.push({ ...given, value: given.value.trim(), origin: `option ${option}` });
}

function commandOf(reading: Reading): Command {
  const { configFile, overrides, warnings, faults, daemon } = reading;
  if (reading.helpCount > 0) return { kind: 'help', all: reading.helpCount > 1 };
  if (reading.wantsVersion) return { kind: 'version' };
  if (faults.length > 0) {
    throw commandLineError(faults);
  }
  const question = overrides.find(
    ({ section, key, value }) => section === 'stream' && key === 'codec' && value.endsWith(':?'),
  );
  if (question) return { kind: 'codec-help', codec: question.value.slice(0, -2) };
  return {
    kind: 'serve',
    ...(configFile !== undefined && { configFile }),
    overrides,
    ...(daemon && { daemon }),
    warnings,
  };
}

function commandLineError(faults: readonly string[]): ConfigError {
  return new ConfigError(
    'bad-command-line',
    `${faults.join('\n')}\nzerocast --help lists the options`,
  );
}
