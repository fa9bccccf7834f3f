import { lookup } from 'node:dns/promises';
import { open } from 'node:fs/promises';
import { isIP } from 'node:net';
import { messageOf, SourceError } from '../../../base/errors.ts';
import type { AddressRules } from '../../../base/net/address-rules.ts';
import { ArrivingBytes } from '../../../base/net/arriving-bytes.ts';
import { openUrl } from '../../../base/net/open-url.ts';
import { withoutSecrets } from '../../../base/secrets.ts';
import { textOf } from '../../stream-parameters.ts';
import type { SourceContext } from '../stream-source.ts';
import { addressRulesOf, faultText } from '../url-access.ts';
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

async function textAt(place: string, context: SourceContext): Promise<string> {
  const { fileGate } = context;
  try {
    if (/^https?:\/\//i.test(place)) return await fetched(place, addressRulesOf(context));
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
      `the session description ${withoutSecrets(place)} cannot be read: ${faultText(cause)}`,
      { cause },
    );
  }
}

async function fetched(url: string, rules: AddressRules): Promise<string> {
  const signal = AbortSignal.timeout(fetchTimeoutMs);
  const headers = { Accept: 'application/sdp', 'Accept-Encoding': 'identity' };
  const { response } = await openUrl(url, { rules, headers, signal, headMs: fetchTimeoutMs });
  const body = new ArrivingBytes(response, signal);
  try {
    if (response.statusCode !== 200) throw new Error(`the answer is ${response.statusCode}`);
    let data = Buffer.alloc(0);
    while (data.length <= maxDescriptionBytes) {
      const piece = await body.next(fetchTimeoutMs);
      if (!piece) break;
      data = Buffer.concat([data, piece]);
    }
    return data.toString();
  } finally {
    body.close();
  }
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
