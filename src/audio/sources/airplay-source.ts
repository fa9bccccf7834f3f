import { splitCommandLine } from '../../base/children/command-line.ts';
import { maxPort, portOf, textOf } from '../stream-parameters.ts';
import { AirplayMetadata } from './airplay-metadata.ts';
import { MetadataItems } from './metadata-items.ts';
import { deviceName, findPlayer, playedContext } from './player-program.ts';
import { ProgramFifo } from './program-fifo.ts';
import { programSource } from './program-source.ts';
import type { SourceContext, StreamSource } from './stream-source.ts';

/** Builds for AirPlay 2 listen on 7000 unless they are told otherwise. */
const usualPort = 5000;
const clash = /Is another instance of Shairport Sync running on this device/i;

const hints = [
  [
    /Invalid audio output specified/i,
    'this build of shairport-sync cannot write to its standard output: take one with the backend stdout',
  ],
  [
    /Could not establish mDNS advertisement/i,
    'start avahi-daemon, by which apps find the player, and allow this server to reach it',
  ],
  [clash, 'the port is taken: the next start tries the next one'],
] as const;

/** AirPlay by the program `shairport-sync`: `airplay:///[path][?devicename=…][&port=5000][&password=…]`. */
export function createAirplaySource(context: SourceContext): StreamSource {
  const { uri } = context;
  const streamId = textOf(uri, 'name') ?? '';
  const program = findPlayer(uri, 'shairport-sync');
  const password = textOf(uri, 'password');
  const params = splitCommandLine(uri.query.params ?? '');
  // What follows `--` is for the output alone.
  const cut = params.includes('--') ? params.indexOf('--') : params.length;
  const [general, ofOutput] = [params.slice(0, cut), params.slice(cut)];
  const firstPort = portOf(uri, 'port', usualPort);
  let port = firstPort;
  return programSource(playedContext(context), ({ log, tell }) => {
    // A control script speaks for its stream alone, and brings the cover, too.
    const hasScript = textOf(uri, 'controlscript') !== undefined;
    const covers = hasScript ? undefined : context.coverKeeper?.(streamId);
    let fifo: ProgramFifo | undefined;
    let metadata: AirplayMetadata | undefined;
    return {
      async prepare() {
        const told = new AirplayMetadata({ tell, covers });
        const items = new MetadataItems((item) => told.take(item));
        fifo = await ProgramFifo.make((data) => items.write(data));
        metadata = told;
        const args = [
          ...[`--name=${deviceName(uri)}`, '--output=stdout', '--get-coverart'],
          ...(password === undefined ? [] : [`--password=${password}`]),
          ...general,
          ...[`--metadata-pipename=${fifo.path}`, `--port=${port}`],
          ...ofOutput,
        ];
        return { program, args };
      },
      watchdogMs: 0,
      line(line) {
        log.foreign('info', 'program says', { line });
        if (clash.test(line)) port = port < maxPort ? port + 1 : firstPort;
      },
      hints,
      ended() {
        fifo?.close();
        metadata?.close();
        fifo = undefined;
        metadata = undefined;
      },
    };
  });
}
