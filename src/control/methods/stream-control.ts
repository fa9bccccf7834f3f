import type { StreamController } from '../../audio/stream-controller.ts';
import type { StreamProperties } from '../../audio/stream-properties.ts';
import { RpcError } from '../../base/errors.ts';
import type { StreamChannel } from '../../streams/stream-channel.ts';
import { invalidParams, quoted } from '../rpc-errors.ts';
import type { RpcParams } from '../rpc-params.ts';

interface Command {
  readonly needs: keyof StreamProperties;
  /** Of the error when what is needed is false. */
  readonly code: number;
  /** The property that this error names. */
  readonly named?: string;
  readonly parameter?: { readonly name: string; readonly missing: string };
}

/** Source: protocol reference, 9.5. */
const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['play', { needs: 'canPlay', code: 4 }],
  ['pause', { needs: 'canPause', code: 5 }],
  // Code and text of `play`: controllers know no others.
  ['playPause', { needs: 'canPause', code: 4, named: 'canPlay' }],
  ['stop', { needs: 'canControl', code: 7 }],
  ['next', { needs: 'canGoNext', code: 2 }],
  ['previous', { needs: 'canGoPrevious', code: 3 }],
  [
    'seek',
    {
      needs: 'canSeek',
      code: 6,
      parameter: { name: 'offset', missing: "Seek requires parameter 'offset'" },
    },
  ],
  [
    'setPosition',
    {
      needs: 'canSeek',
      code: 6,
      parameter: { name: 'position', missing: "setPosition requires parameter 'position'" },
    },
  ],
]);

export const controlCommands: readonly string[] = [...commands.keys()];

/** Answers when the stream has answered. */
export async function controlStream(channel: StreamChannel, params: RpcParams): Promise<'ok'> {
  const name = params.text('command');
  const command = commands.get(name);
  if (!command) throw invalidParams(`Command ${quoted(name)} not supported`);
  const values = readValues(command, params);
  const { needs, code, named = needs } = command;
  const target = channel.targetOf(name);
  if (target.properties[needs] !== true) {
    throw new RpcError(code, `Stream property ${named} is false`);
  }
  await streamControllerOf(target).control(name, values);
  return 'ok';
}

/** Takes the commands for a stream whose properties allow them. */
export function streamControllerOf({ streamController }: StreamChannel): StreamController {
  if (!streamController) throw new RpcError(1, 'Stream can not be controlled');
  return streamController;
}

function readValues(
  { parameter }: Command,
  params: RpcParams,
): Readonly<Record<string, number>> | undefined {
  if (!parameter) return undefined;
  const { name, missing } = parameter;
  if (!params.has('params')) throw invalidParams(missing);
  const values = params.members('params');
  if (!values.has(name)) throw invalidParams(missing);
  return { [name]: values.number(name) };
}
