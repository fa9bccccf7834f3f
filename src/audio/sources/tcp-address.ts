/** One end of `tcp://host[:port]`. */
export interface TcpAddress {
  /** Empty: every address of this machine. */
  readonly hostname: string;
  readonly port: number;
}

/** A producer that vanished without a word is noticed after this silence and a few probes. */
export const keepAliveMs = 10_000;

export function addressText({ hostname, port }: TcpAddress): string {
  return hostname.includes(':') ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
