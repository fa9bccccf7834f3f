import { RpcError } from '../../base/errors.ts';
import type { StreamChannel } from '../../streams/stream-channel.ts';
import { invalidParams, quoted } from '../rpc-errors.ts';
import { isNumber, type RpcParams } from '../rpc-params.ts';
import { streamControllerOf } from './stream-control.ts';

type Value = boolean | number | string;
/** The value to set, made of the value asked for. Failure: throws an `RpcError`. */
type Check = (value: unknown) => Value;

const loopStates: ReadonlySet<unknown> = new Set(['none', 'track', 'playlist']);

const checks: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['loopStatus', loopStatusOf],
  ['shuffle', (value) => flagOf('shuffle', value)],
  ['volume', volumeOf],
  ['mute', (value) => flagOf('mute', value)],
  ['rate', rateOf],
]);

export const streamProperties: readonly string[] = [...checks.keys()];

/** Answers when the stream has answered. Source: protocol reference, 9.5. */
export async function setStreamProperty(channel: StreamChannel, params: RpcParams): Promise<'ok'> {
  const name = params.text('property');
  const check = checks.get(name);
  if (!check) throw invalidParams(`Property ${quoted(name)} not supported`);
  const value = check(params.value('value'));
  const target = channel.targetOf();
  if (!target.properties.canControl) {
    throw new RpcError(7, 'Stream property canControl is false');
  }
  await streamControllerOf(target).setProperty(name, value);
  return 'ok';
}

function loopStatusOf(value: unknown): Value {
  if (typeof value === 'string' && loopStates.has(value)) return value;
  throw invalidParams("Value for loopStatus must be one of 'none', 'track', 'playlist'");
}

function flagOf(name: string, value: unknown): Value {
  if (typeof value === 'boolean') return value;
  throw invalidParams(`Value for ${name} must be bool`);
}

function volumeOf(value: unknown): Value {
  if (!isNumber(value) || !Number.isInteger(value)) {
    throw invalidParams('Value for volume must be an int');
  }
  return Math.max(0, Math.min(100, value));
}

function rateOf(value: unknown): Value {
  if (isNumber(value)) return value;
  throw invalidParams('Value for rate must be float');
}
