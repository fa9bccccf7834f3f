import { resolve } from 'node:path';
import type { Command } from './app/cli.ts';
import { stopSignals } from './app/process-ending.ts';
import { messageOf } from './base/errors.ts';
import type { ProbeOptions } from './probe/probe-options.ts';

/**
 * Carries out what the command line asks for; resolves with the exit status. `endAtOnce` ends
 * the process, whatever it is waiting for.
 *
 * The parts are loaded by the command that needs them: all at one time would take more descriptors
 * than some systems give.
 */
export async function runCommand(argv: readonly string[], endAtOnce: () => never): Promise<number> {
  const { parseCommandLine } = await import('./app/cli.ts');
  return run(parseCommandLine(argv), endAtOnce);
}

async function run(command: Command, endAtOnce: () => never): Promise<number> {
  switch (command.kind) {
    case 'help':
      return print((await import('./config/usage.ts')).usage(command.all));
    case 'version':
      return version();
    case 'codec-help':
      return print((await import('./audio/encoders/codecs.ts')).codecHelp(command.codec));
    case 'probe':
      return probe(command.args);
    case 'hash-password':
      return hashPassword();
    case 'token':
      return token(command);
    case 'doctor':
      return doctor(command);
    case 'clips':
      return clips(command);
    case 'make-certificate':
      return makeCertificate(command);
    case 'serve':
      return (await import('./app/serve.ts')).serve(command, {
        forceEnd: endAtOnce,
        diagnose: async (loaded) =>
          (await import('./doctor/diagnose-server.ts')).diagnoseServer(loaded),
      });
  }
}

function print(text: string): number {
  process.stdout.write(`${text.trimEnd()}\n`);
  return 0;
}

async function version(): Promise<number> {
  const { loadNativeAddon } = await import('./base/native/native-addon.ts');
  const { flacLibraryInUse } = await import('./audio/encoders/flac-encoder.ts');
  const { versionText } = await import('./config/usage.ts');
  return print(versionText(flacLibraryInUse(loadNativeAddon()).name));
}

async function hashPassword(): Promise<number> {
  const { hashPasswordFrom } = await import('./auth/hash-password-command.ts');
  return print(await hashPasswordFrom({ input: process.stdin, prompts: process.stderr }));
}

async function probe(args: readonly string[]): Promise<number> {
  const { parseProbeOptions, probeUsage } = await import('./probe/probe-options.ts');
  const { runProbe, unreachableStatus } = await import('./probe/probe.ts');
  if (args.includes('--help') || args.includes('-h')) return print(probeUsage);
  let options: ProbeOptions;
  try {
    options = parseProbeOptions(args);
  } catch (error) {
    process.stderr.write(`zerocast probe: ${messageOf(error)}\n`);
    return unreachableStatus;
  }
  const { stdout } = process;
  const output = {
    write: (text: string) => void stdout.write(text),
    isTerminal: stdout.isTTY === true,
  };
  return runProbe(options, output, untilStopped());
}

function untilStopped(): AbortSignal {
  const abort = new AbortController();
  for (const signal of [...stopSignals, 'SIGHUP']) process.once(signal, () => abort.abort());
  // The reader of the output, such as `head`, has seen enough.
  process.stdout.on('error', () => abort.abort());
  return abort.signal;
}

async function token(command: Extract<Command, { kind: 'token' }>): Promise<number> {
  const { loadFor } = await import('./app/serve.ts');
  const { tokenSettings } = await import('./app/configured-access.ts');
  const { issueToken } = await import('./auth/token-command.ts');
  const { user, hours } = command;
  const { config } = loadFor(command);
  const { role: roles, user: users } = config.authorization;
  return print(await issueToken({ user, hours, roles, users, settings: tokenSettings(config) }));
}

async function doctor(command: Extract<Command, { kind: 'doctor' }>): Promise<number> {
  const { runDoctor } = await import('./doctor/doctor.ts');
  const { stdout } = process;
  const isColoured = stdout.isTTY === true && !process.env.NO_COLOR;
  // The reader of the output, such as `head`, has seen enough.
  stdout.on('error', () => undefined);
  return runDoctor(command, { write: (text) => void stdout.write(text), isColoured });
}

async function clips(command: Extract<Command, { kind: 'clips' }>): Promise<number> {
  const { loadFor } = await import('./app/serve.ts');
  const { servedDataFolder } = await import('./app/data-folder.ts');
  const { loadNativeAddon } = await import('./base/native/native-addon.ts');
  const { runClipsCommand } = await import('./clips/clips-command.ts');
  const { request, isDaemon } = command;
  const { config } = loadFor(command);
  const { datadir } = config.server;
  const { stdout, stderr } = process;
  return runClipsCommand(request, {
    config,
    dataFolder: servedDataFolder({ datadir, home: process.env.HOME, isDaemon }),
    native: loadNativeAddon(),
    output: {
      write: (text) => void stdout.write(text),
      writeFault: (text) => void stderr.write(text),
      isTerminal: stderr.isTTY === true,
    },
    signal: untilStopped(),
  });
}

async function makeCertificate(
  command: Extract<Command, { kind: 'make-certificate' }>,
): Promise<number> {
  const { loadFor } = await import('./app/serve.ts');
  const { servedDataFolder } = await import('./app/data-folder.ts');
  const { makeCertificateCommand } = await import('./certificates/make-certificate-command.ts');
  const { request, isDaemon } = command;
  const { server, http } = loadFor(command).config;
  const { datadir } = server;
  const dataFolder = servedDataFolder({ datadir, home: process.env.HOME, isDaemon });
  const ports = { httpPort: http.port, httpsPort: http.sslPort };
  return print(
    await makeCertificateCommand(request, { dataFolder: resolve(dataFolder), ...ports }),
  );
}
