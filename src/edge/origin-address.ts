import type { StreamUri } from '../audio/stream-uri.ts';

const usualPort = 1704;

/** Where a server serves its players. */
export interface OriginAddress {
  readonly host: string;
  readonly port: number;
}

export function originAddressOf({
  hostname,
  port,
}: Pick<StreamUri, 'hostname' | 'port'>): OriginAddress {
  return { host: hostname, port: port ?? usualPort };
}

/** What a stream is called at its origin: the path of its address, or else as here. */
export function nameAtOrigin(stream: { readonly uri: StreamUri; readonly name: string }): string {
  return stream.uri.path.replace(/^\//, '') || stream.name;
}
