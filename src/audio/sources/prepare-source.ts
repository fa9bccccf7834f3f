import { lookup } from 'node:dns/promises';
import { constants, existsSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { messageOf, SourceError } from '../../base/errors.ts';
import { choiceOf } from '../stream-parameters.ts';
import type { StreamUri } from '../stream-uri.ts';
import { prepareClip } from './clip-source.ts';
import { makeFifoBehind } from './fifo.ts';
import type { SourceContext } from './stream-source.ts';

const preparations: ReadonlyMap<string, (context: SourceContext) => Promise<SourceContext>> =
  new Map([
    ['clip', prepareClip],
    ['pipe', preparePipe],
    ['radio', async (context) => (await import('./radio/prepare-radio.ts')).prepareRadio(context)],
    ['rtp', prepareNetwork],
    ['tcp', prepareTcp],
    ['udp', prepareNetwork],
  ]);

/**
 * Does what a source would otherwise wait for after its start: a fifo is made, a host name or a clip
 * looked up. So the caller that adds a stream learns at once whether it can be opened.
 *
 * Shape: resolves with what the source is to be made from.
 * Failure: rejects with a `SourceError`.
 */
export async function prepareSource(context: SourceContext): Promise<SourceContext> {
  return (await preparations.get(context.uri.scheme)?.(context)) ?? context;
}

/** Whether the fifo of a stream could be read now; one that is missing is made where it should be. */
export async function isFifoReadable(uri: StreamUri): Promise<boolean> {
  try {
    await makeFifoFor({ uri });
    await access(uri.path, constants.R_OK);
    return (await stat(uri.path)).isFIFO();
  } catch {
    return false;
  }
}

async function preparePipe(context: SourceContext): Promise<SourceContext> {
  await makeFifoFor(context);
  return context;
}

async function makeFifoFor({
  uri,
  fileGate,
}: Pick<SourceContext, 'uri' | 'fileGate'>): Promise<void> {
  const { path } = uri;
  const isMade = choiceOf(uri, 'mode', ['create', 'read']) === 'create' && !/^\/?$/.test(path);
  if (!isMade || existsSync(path)) return;
  try {
    await makeFifoBehind(fileGate, path);
  } catch (cause) {
    // Another program may have made it at the same moment.
    if (!existsSync(path)) {
      const fault = `it cannot be made: ${messageOf(cause)}`;
      throw new SourceError('mkfifo', `the pipe ${path} cannot be used: ${fault}`, { cause });
    }
  }
}

/** Mode `client` looks the name up each time, as its address may change; `server` need not. */
async function prepareTcp(context: SourceContext): Promise<SourceContext> {
  const { uri } = context;
  const { hostname } = uri;
  if (hostname === '' || choiceOf(uri, 'mode', ['server', 'client']) === 'client') return context;
  try {
    const { address } = await lookup(hostname);
    return { ...context, uri: { ...uri, hostname: address } };
  } catch (cause) {
    throw new SourceError(
      'address-unknown',
      `cannot listen on ${uri.host}: ${messageOf(cause)}: fix the host name, or write 0.0.0.0`,
      { cause },
    );
  }
}

async function prepareNetwork(context: SourceContext): Promise<SourceContext> {
  return (await import('./rtp/prepare-network.ts')).prepareNetwork(context);
}
