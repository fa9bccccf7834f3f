import { lookup } from 'node:dns/promises';
import { open } from 'node:fs/promises';
import { isIP } from 'node:net';
import { messageOf, SourceError } from '../../../base/errors.ts';
import { textOf } from '../../stream-parameters.ts';
import type { SourceContext } from '../stream-source.ts';
import { maxDescriptionBytes, readSessionDescription } from './session-description.ts';

const fetchTimeoutMs = 5000;

/** Looks the host up and reads the description of the session. Failure: rejects with a `SourceError`. */
export async function prepareNetwork(context: SourceContext): Promise<SourceContext> {
  const { uri } = context;
  const sdp = textOf(uri, 'sdp');
  const session =
    sdp === undefined ? undefined : await readSessionDescription(await textAt(sdp, context));
  const { hostname } = uri;
  const isName = hostname !== '' && isIP(hostname) === 0;
  const address = isName ? await addressOf(hostname) : hostname;
  return { ...context, uri: { ...uri, hostname: address }, ...(session && { session }) };
}

async function textAt(place: string, { fileGate }: SourceContext): Promise<string> {
  try {
    if (/^https?:\/\//i.test(place)) return await fetched(place);
    const path = place.replace(/^file:\/\//, '');
    fileGate?.checkPath(path);
    const file = await open(path);
    try {
      fileGate?.checkOpen(path, file.fd);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(maxDescriptionBytes));
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof SourceError) throw cause;
    throw new SourceError(
      'no-sdp',
      `the session description ${place} cannot be read: ${messageOf(cause)}`,
      { cause },
    );
  }
}

async function fetched(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(fetchTimeoutMs) });
  if (!response.ok) throw new Error(`the answer is ${response.status}`);
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = '';
  while (reader && text.length <= maxDescriptionBytes) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += decoder.decode(value, { stream: true });
  }
  await reader?.cancel();
  return text;
}

async function addressOf(hostname: string): Promise<string> {
  try {
    return (await lookup(hostname)).address;
  } catch (cause) {
    throw new SourceError(
      'address-unknown',
      `cannot listen on ${hostname}: ${messageOf(cause)}: fix the host name, or write 0.0.0.0`,
      { cause },
    );
  }
}
