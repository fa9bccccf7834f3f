/** With these the kernel gives up on a peer of which it has heard nothing for too long. */
const vanished = new Set(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN']);

/** Why a connection has failed, for the log. */
export function failureOf({
  code = '',
  syscall = '',
  message,
}: {
  readonly code?: string | undefined;
  readonly syscall?: string | undefined;
  readonly message?: string | undefined;
}): string {
  const call = `${syscall} ${code}`.trim();
  if (vanished.has(code)) return `the peer has vanished (${call})`;
  return `connection failed: ${message ?? call}`;
}
