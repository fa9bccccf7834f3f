import { execFile } from 'node:child_process';
import { findProgram } from '../../base/children/find-program.ts';
import type { SampleFormat } from '../sample-format.ts';
import { flagOf, textOf } from '../stream-parameters.ts';
import type { StreamUri } from '../stream-uri.ts';
import { type ProgramHint, programSource } from './program-source.ts';
import { parametersOf, type SourceContext, type StreamSource } from './stream-source.ts';

/** A server that comes back, or a node, is heard soon. */
const restartMs = [100, 2000] as const;
const helpTimeoutMs = 5000;
/** The session manager chooses, and may choose again. */
const chosenTarget = 'auto';
/** Lines of the library, by which alone a program says what became of its node. */
const libraryLine = /^\[[A-Z]\]\[/;
const nodeIsGone = /-> unconnected/;
const isGone = 'there is no such node, or no longer';
const hints: readonly ProgramHint[] = [
  [
    /Host is down|Connection refused|No such file or directory\): (?!no node|unknown)/,
    'PipeWire runs as a user: let the server run as the same one, and give its folder, as in ' +
      'runtime_dir=/run/user/1000',
  ],
  [/Permission denied|Operation not permitted/, 'let the server run as the user of PipeWire'],
  [/no such node|no node available/, 'give target the name of a node that "pw-cli ls Node" shows'],
];

/** Hears a node of PipeWire: `pipewire://?name=…[&target=][&capture_sink=true][&remote=][&runtime_dir=]`. */
export function createPipeWireSource(context: SourceContext): StreamSource {
  const { uri, format } = context;
  const program = findProgram('/usr/bin/pw-record', process.env.PATH, 'pipewire-bin');
  const isMonitor = flagOf(parametersOf(context), 'capture_sink', false);
  const words = [...nodeWords(context, isMonitor), ...formatWords(context)];
  let offersRaw: Promise<boolean> | undefined;
  return programSource(context, ({ restart }) => ({
    async prepare() {
      offersRaw ??= offers(program, '--raw');
      const raw = (await offersRaw) ? ['--raw'] : [];
      return { program, args: [...words, ...raw, '-'], environment: environmentOf(uri) };
    },
    watchdogMs: 0,
    line(text) {
      if (libraryLine.test(text) && nodeIsGone.test(text)) restart(isGone);
    },
    noise: libraryLine,
    hints,
    restartMs,
    // Of 32 bits those that 24 bits are, 4 bytes from the second one on.
    skipBytes: format.bits === 24 ? 1 : 0,
    endsInWords: true,
  }));
}

/** Without a target the stream is a sink, which programs can play to. */
function nodeWords({ uri, sendSilence }: SourceContext, isMonitor: boolean): readonly string[] {
  const { name = '' } = uri.query;
  const target = textOf(uri, 'target');
  const isSink = target === undefined && !isMonitor;
  const isNamed = target !== undefined && target !== chosenTarget;
  const properties: Readonly<Record<string, string | boolean>> = {
    'application.name': 'Zerocast',
    'node.name': name,
    'node.description': name,
    ...(isSink && { 'media.class': 'Audio/Sink', 'node.virtual': true }),
    ...(isMonitor && { 'stream.capture.sink': true }),
    ...(!isSink && { 'state.restore-props': false, 'state.restore-target': false }),
    // Else the session manager would let it hear another one, as a microphone.
    ...(isNamed && { 'node.dont-reconnect': true, 'node.dont-fallback': true }),
    // A sink that nobody plays to is silent; without that it would sleep.
    ...(sendSilence && { 'node.always-process': true }),
  };
  const text = Object.entries(properties).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return [
    `--properties={ ${text.join(' ')} }`,
    ...(isSink ? ['--target=0'] : isNamed ? [`--target=${target}`] : []),
  ];
}

function formatWords({ format, chunkMs }: SourceContext): readonly string[] {
  const { rateHz, channels } = format;
  return [
    `--latency=${chunkMs}ms`,
    `--rate=${rateHz}`,
    `--channels=${channels}`,
    `--format=s${containerBits(format)}`,
  ];
}

function containerBits({ sampleBytes }: SampleFormat): number {
  return 8 * sampleBytes;
}

function environmentOf(uri: StreamUri): Readonly<Record<string, string>> {
  const remote = textOf(uri, 'remote');
  const folder = textOf(uri, 'runtime_dir');
  return {
    PIPEWIRE_DEBUG: 'pw.stream:4',
    PIPEWIRE_LOG_SYSTEMD: 'false',
    ...(remote !== undefined && { PIPEWIRE_REMOTE: remote }),
    ...(folder !== undefined && { PIPEWIRE_RUNTIME_DIR: folder }),
  };
}

/** Whether the help of a program names an option. */
function offers(program: string, option: string): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(program, ['--help'], { timeout: helpTimeoutMs }, (_, stdout, stderr) => {
      resolve(`${stdout}${stderr}`.includes(option));
    });
  });
}
