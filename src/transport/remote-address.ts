/** What of a socket tells where it leads to. */
export interface RemoteEnd {
  readonly remoteAddress?: string | undefined;
}

/** Plain IPv4 addresses of dual-stack sockets are shown as such. */
export function addressOf({ remoteAddress }: RemoteEnd): string {
  return (remoteAddress ?? 'unknown').replace(/^::ffff:(?=\d+\.)/, '');
}
