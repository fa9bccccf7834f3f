import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { Writable as WritableStream } from 'node:stream';
import { ConfigError } from '../base/errors.ts';
import { hashPassword, hashPrefix } from './password-hash.ts';

export interface PasswordInput {
  /** A terminal is not echoed; of anything else the only line is read. */
  readonly input: Readable & { readonly isTTY?: boolean };
  /** Where questions go, so that the output is the hash alone. */
  readonly prompts: Writable;
}

const maxPasswordBytes = 1024;

/**
 * Reads a password and resolves with the line that `zerocast hash-password` prints.
 *
 * Failure: rejects with a `ConfigError` that does not show what was read.
 */
export async function hashPasswordFrom(source: PasswordInput): Promise<string> {
  const password = source.input.isTTY ? await askTwice(source) : await readOnlyLine(source.input);
  if (password === '') throw badPassword('the password is empty');
  if (Buffer.byteLength(password) > maxPasswordBytes) throw tooLong();
  if (password.startsWith(hashPrefix)) throw badPassword('this is a hash already');
  return hashPassword(password);
}

async function askTwice(source: PasswordInput): Promise<string> {
  const first = await ask('Password: ', source);
  const second = await ask('Once more: ', source);
  if (first !== second) throw badPassword('the two passwords differ');
  return first;
}

/** Lets readline edit the line as usual, and shows nothing of it. */
function ask(question: string, { input, prompts }: PasswordInput): Promise<string> {
  const nowhere = new WritableStream({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: nowhere, terminal: true, historySize: 0 });
  prompts.write(question);
  return new Promise((resolve, reject) => {
    lines.once('SIGINT', () => lines.close());
    lines.once('close', () => {
      prompts.write('\n');
      // Comes second where there was a line, and counts for nothing then.
      reject(badPassword('no password was entered'));
    });
    lines.once('line', (line) => {
      resolve(line);
      lines.close();
    });
  });
}

async function readOnlyLine(input: Readable): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of input) {
    pieces.push(Buffer.from(piece));
    length += pieces.at(-1)?.length ?? 0;
    // The line end, of one or two bytes, does not count.
    if (length > maxPasswordBytes + 2) throw tooLong();
  }
  const text = decode(Buffer.concat(pieces)).replace(/\r?\n$/, '');
  if (/[\r\n\0]/.test(text)) throw badPassword('the password must be a single line of text');
  return text;
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw badPassword('the password must be UTF-8 text');
  }
}

function tooLong(): ConfigError {
  return badPassword(`the password is too long; allowed: ${maxPasswordBytes} bytes`);
}

function badPassword(fault: string): ConfigError {
  return new ConfigError('bad-password', `hash-password: ${fault}`);
}
