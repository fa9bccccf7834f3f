import { codeOf } from '../../base/errors.ts';

/** One end of `tcp://host[:port]`. */
export interface TcpAddress {
  /** Empty: every address of this machine. */
  readonly hostname: string;
  readonly port: number;
}

export function addressText({ hostname, port }: TcpAddress): string {
  return hostname.includes(':') ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** What the kernel says when a peer has vanished without a word. */
const silences = new Set(['ETIMEDOUT', 'EHOSTUNREACH']);

/** Why a connection to a producer has ended. */
export function lossText(error: NodeJS.ErrnoException | undefined): string {
  if (!error) return 'the producer closed the connection';
  const code = codeOf(error);
  // When every address of a name refuses, the error has a code but no message.
  const text = error.message || code;
  const isSilence = error.syscall === 'read' && silences.has(code);
  return isSilence ? `the producer or its network is gone (${text})` : text;
}
