import type { StreamProperties } from '../audio/stream-properties.ts';
import { formatStreamUri } from '../audio/stream-uri.ts';
import { addressMask, shownParameter, withoutSecrets } from '../base/secrets.ts';
import type { StreamChannel } from '../streams/stream-channel.ts';
import { jsonOf } from './json-text.ts';

/** Streams without codec only feed other streams: controllers do not see them. */
export function isListed({ stream }: StreamChannel): boolean {
  return stream.codec !== 'null';
}

/** One stream as controllers see it. Source: protocol reference, 8.1. */
export function streamJson(channel: StreamChannel): string {
  return jsonOf({
    id: channel.id,
    properties: shownProperties(channel.properties),
    status: channel.stream.state,
    uri: shownUri(channel),
  });
}

/** Properties without the image itself, which controllers get from its URL. */
export function propertiesJson(properties: StreamProperties): string {
  return jsonOf(shownProperties(properties));
}

function shownProperties({ metadata, ...properties }: StreamProperties): object {
  if (!metadata) return properties;
  const { artData: _, ...tags } = metadata;
  return { ...properties, metadata: tags };
}

/** The address with the four parameters that controllers rely on, also where defaults set them. */
function shownUri({ stream }: StreamChannel): object {
  const { uri, name, format, chunkMs } = stream.options;
  const { host, scheme } = uri;
  const path = withoutSecrets(uri.path, addressMask);
  const fragment = withoutSecrets(uri.fragment, addressMask);
  const query: Record<string, string> = {
    ...uri.query,
    name,
    codec: uri.query.codec || stream.codec,
    sampleformat: String(format),
    chunk_ms: String(chunkMs),
  };
  for (const [key, value] of Object.entries(query)) query[key] = shownParameter(key, value);
  const raw = formatStreamUri({ scheme, host, path, fragment, query });
  return { fragment, host, path, query, raw, scheme };
}
