import { scryptSync } from 'node:crypto';
import type { Access } from '../../src/auth/access.ts';
import { RpcError } from '../../src/base/errors.ts';
import type { Credentials } from '../../src/protocol/messages.ts';

/** A hash as `zerocast hash-password` prints it, but cheap. */
export function cheapHash(password: string, ln = 4): string {
  const salt = Buffer.from('0123456789abcdef');
  const hash = scryptSync(password, salt, 32, { N: 2 ** ln, r: 8, p: 1 });
  const text = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
  return `$scrypt$ln=${ln},r=8,p=1$${text(salt)}$${text(hash)}`;
}

export const plain = (param: string): Credentials => ({ scheme: 'Plain', param });
export const bearer = (param: string): Credentials => ({ scheme: 'Bearer', param });
export const basic = (text: string): Credentials => ({
  scheme: 'Basic',
  param: Buffer.from(text).toString('base64'),
});

/** The code of the refusal; 0 for a login. Failure: rejects when it is no refusal of ours. */
export async function refusal(
  access: Access,
  credentials: Credentials,
  address?: string,
): Promise<number> {
  try {
    await access.login(credentials, address);
    return 0;
  } catch (thrown) {
    if (thrown instanceof RpcError) return thrown.rpcCode;
    throw thrown;
  }
}
