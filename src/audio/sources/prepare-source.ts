import { lookup } from 'node:dns/promises';
import { constants, existsSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { messageOf, SourceError } from '../../base/errors.ts';
import { choiceOf } from '../stream-parameters.ts';
import type { StreamUri } from '../stream-uri.ts';
import { makeFifoBehind } from './fifo.ts';
import type { SourceContext } from './stream-source.ts';

const preparations: ReadonlyMap<string, (context: SourceContext) => Promise<StreamUri>> = new Map([
  ['pipe', preparePipe],
  ['tcp', prepareTcp],
]);

/**
 * Does what a source would otherwise wait for after its start: a fifo is made, a host name looked
 * up. So the caller that adds a stream learns at once whether it can be opened.
 *
 * Shape: resolves with the address that the source is to be made from.
 * Failure: rejects with a `SourceError`.
 */
export async function prepareSource(context: SourceContext): Promise<StreamUri> {
  return (await preparations.get(context.uri.scheme)?.(context)) ?? context.uri;
}

/** Whether the fifo of a stream could be read now; one that is missing is made where it should be. */
export async function isFifoReadable(uri: StreamUri): Promise<boolean> {
  try {
    await preparePipe({ uri });
    await access(uri.path, constants.R_OK);
    return (await stat(uri.path)).isFIFO();
  } catch {
    return false;
  }
}

async function preparePipe({
  uri,
  fileGate,
}: Pick<SourceContext, 'uri' | 'fileGate'>): Promise<StreamUri> {
  const { path } = uri;
  const isMade = choiceOf(uri, 'mode', ['create', 'read']) === 'create' && !/^\/?$/.test(path);
  if (!isMade || existsSync(path)) return uri;
  try {
    await makeFifoBehind(fileGate, path);
  } catch (cause) {
    // Another program may have made it at the same moment.
    if (!existsSync(path)) {
      const fault = `it cannot be made: ${messageOf(cause)}`;
      throw new SourceError('mkfifo', `the pipe ${path} cannot be used: ${fault}`, { cause });
    }
  }
  return uri;
}

/** Mode `client` looks the name up each time, as its address may change; `server` need not. */
async function prepareTcp({ uri }: SourceContext): Promise<StreamUri> {
  const { hostname } = uri;
  if (hostname === '' || choiceOf(uri, 'mode', ['server', 'client']) === 'client') return uri;
  try {
    const { address } = await lookup(hostname);
    return { ...uri, hostname: address };
  } catch (cause) {
    throw new SourceError(
      'address-unknown',
      `cannot listen on ${uri.host}: ${messageOf(cause)}: fix the host name, or write 0.0.0.0`,
      { cause },
    );
  }
}
