import { malformed } from './login-errors.ts';

export interface NameAndPassword {
  readonly name: string;
  readonly password: string;
}

/** Longer ones are refused unread, because hashing and verifying cost by length. */
export const maxCredentialCharacters = 8192;

/** Reads `user:password`; passwords may contain colons. Failure: throws an `RpcError`. */
export function parsePlain(text: string): NameAndPassword {
  const colon = text.indexOf(':');
  if (colon < 0) throw malformed('the credentials must be user:password');
  return { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Reads base64 of `user:password`, padded or not. Failure: an `RpcError`. Source: RFC 7617. */
export function parseBasic(param: string): NameAndPassword {
  const text = param.trim();
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) throw malformed('the credentials must be base64');
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return parsePlain(decoder.decode(Buffer.from(text, 'base64')));
  } catch (thrown) {
    if (thrown instanceof TypeError) throw malformed('the credentials must be UTF-8');
    throw thrown;
  }
}
