import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAccess } from '../../../src/auth/create-access.ts';
import { hashPasswordFrom } from '../../../src/auth/hash-password-command.ts';
import { issueToken, readTokenMaterial } from '../../../src/auth/token-command.ts';
import { ConfigError } from '../../../src/base/errors.ts';
import { certificatePair } from '../../support/certificate-pair.ts';
import { bearer, plain, refusal } from '../../support/logins.ts';

const unset = { tokenSecret: '', certificate: '', certificateKey: '', keyPassword: '' };
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerocast-auth-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

const hashOf = (...pieces: readonly (string | Buffer)[]) =>
  hashPasswordFrom({ input: Readable.from(pieces), prompts: new PassThrough() });

describe('hash-password', () => {
  it.each([[['pä', 'ss']], [['päss\n']], [['päss\r\n']], [[Buffer.from('päss\n')]]])(
    'hashes what it reads: %j',
    async (pieces) => {
      const hash = await hashOf(...pieces);
      expect(hash).toMatch(/^\$scrypt\$ln=15,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
      const access = await createAccess({ enabled: true, roles: [], users: [`ann:${hash}`] });
      expect(await refusal(access, plain('ann:päss'))).toBe(0);
      expect(await refusal(access, plain('ann:pass'))).toBe(4);
    },
  );

  it('puts characters together that arrive in pieces', async () => {
    const bytes = Buffer.from('päss');
    const hash = await hashOf(bytes.subarray(0, 2), bytes.subarray(2));
    const access = await createAccess({ enabled: true, roles: [], users: [`ann:${hash}`] });
    expect(await refusal(access, plain('ann:päss'))).toBe(0);
  });

  it('salts every hash anew', async () => {
    expect(await hashOf('same')).not.toBe(await hashOf('same'));
  });

  it.each([
    ['nothing', [''], /the password is empty/],
    ['an empty line', ['\n'], /the password is empty/],
    ['several lines', ['one\ntwo'], /a single line/],
    ['what is no UTF-8', [Buffer.from([0xff])], /UTF-8/],
    ['too much', ['x'.repeat(1025)], /too long; allowed: 1024 bytes/],
    ['what does not end', Array.from({ length: 2000 }, () => 'x'), /too long/],
    ['a hash', ['$scrypt$ln=15,r=8,p=1$a$b'], /a hash already/],
  ])('refuses %s', async (_what, pieces, message) => {
    const refused = hashOf(...pieces);
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow(message);
  });
});

describe('hash-password on a terminal', () => {
  /** Types line after line, each when it was asked for. */
  async function typed(...lines: readonly string[]) {
    const modes: boolean[] = [];
    const setRawMode = (isRaw: boolean) => void modes.push(isRaw);
    const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode });
    let shown = '';
    const prompts = new PassThrough().on('data', (text) => {
      shown += text;
      if (/: $/.test(shown)) setImmediate(() => input.write(lines[asked++] ?? ''));
    });
    let asked = 0;
    const hash = hashPasswordFrom({ input, prompts });
    return { hash, modes, shown: () => shown };
  }

  it('asks twice, shows nothing, and leaves the terminal as it was', async () => {
    const { hash, modes, shown } = await typed('secrez\x7ft\r', 'secret\r');
    const access = await createAccess({ enabled: true, roles: [], users: [`ann:${await hash}`] });
    expect(await refusal(access, plain('ann:secret'))).toBe(0);
    expect(shown()).toBe('Password: \nOnce more: \n');
    expect(modes).toEqual([true, false, true, false]);
  });

  it.each([
    ['two different passwords', ['secret\r', 'Secret\r'], /the two passwords differ/],
    ['an interrupt', ['sec\x03'], /no password was entered/],
    ['an interrupt at the repetition', ['secret\r', '\x03'], /no password was entered/],
    ['the end of input', ['\x04'], /no password was entered/],
    ['nothing', ['\r', '\r'], /the password is empty/],
  ])('refuses %s', async (_what, lines, message) => {
    const { hash, modes } = await typed(...lines);
    await expect(hash).rejects.toThrow(message);
    expect(modes.at(-1)).toBe(false);
  });
});

describe('token', () => {
  const entries = { roles: ['player:Streaming'], users: ['ann:pw:player'] };

  it.each([
    ['the secret', () => ({ ...unset, tokenSecret: 'x'.repeat(32) })],
    [
      'the key of the certificate',
      () => {
        const { certificatePem, privateKeyPem } = certificatePair();
        const [certificate, certificateKey] = [join(folder, 'c.pem'), join(folder, 'k.pem')];
        writeFileSync(certificate, certificatePem);
        writeFileSync(certificateKey, privateKeyPem);
        return { ...unset, certificate, certificateKey };
      },
    ],
  ])('is signed with %s', async (_what, write) => {
    const settings = write();
    const token = await issueToken({ ...entries, user: 'ann', hours: 0.5, settings });
    const tokens = await readTokenMaterial(settings);
    const access = await createAccess({ enabled: true, ...entries, tokens });
    expect(await refusal(access, bearer(token))).toBe(0);
    const { exp, iat } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
    expect(exp - iat).toBe(1800);
  });

  it.each([
    ['an unknown user', { user: 'bob' }, /has no user "bob"; add one first/],
    ['no key', {}, /there is no key to sign tokens with/],
    ['a file that is not there', { settings: { ...unset, certificate: '/no/file' } }, /ENOENT/],
    ['faulty users', { users: ['ann:pw:nobody'] }, /user "ann": what follows the last colon/],
  ])('is refused for %s', async (_what, change, message) => {
    const request = { ...entries, user: 'ann', hours: 1, settings: unset, ...change };
    await expect(issueToken(request)).rejects.toThrow(ConfigError);
    await expect(issueToken(request)).rejects.toThrow(message);
  });
});
