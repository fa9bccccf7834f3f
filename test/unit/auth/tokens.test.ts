import { createPrivateKey, createSecretKey, type KeyObject, X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { SignJWT } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { type AccessEntries, openAccess } from '../../../src/auth/access.ts';
import { AccessGate } from '../../../src/auth/access-gate.ts';
import { createAccess } from '../../../src/auth/create-access.ts';
import { OwnTokenKey, signingKey, type TokenMaterial } from '../../../src/auth/token-key.ts';
import { signToken } from '../../../src/auth/tokens.ts';
import { ConfigError } from '../../../src/base/errors.ts';
import { type CertificatePair, certificatePair } from '../../support/certificate-pair.ts';
import { bearer, plain, refusal } from '../../support/logins.ts';

const secret = 'a secret of just enough length: 32';
const hour = 3600;
let rsa: CertificatePair;
let ec: CertificatePair;

beforeAll(() => {
  rsa = certificatePair('rsa:2048');
  ec = certificatePair();
});

function open(tokens: TokenMaterial): Promise<AccessEntries> {
  return createAccess({
    enabled: true,
    roles: ['player:Streaming'],
    users: ['ann:pw:player'],
    tokens,
  });
}

interface Forgery {
  readonly algorithm?: string;
  readonly key?: KeyObject;
  readonly claims?: object;
  /** Seconds from now. */
  readonly expires?: number;
}

/** A token that is right but for what is said. */
function forge(forgery: Forgery): Promise<string> {
  const {
    algorithm = 'HS256',
    key = createSecretKey(secret, 'utf8'),
    claims = { sub: 'ann' },
  } = forgery;
  const exp = Math.floor(Date.now() / 1000) + (forgery.expires ?? hour);
  return new SignJWT({ exp, ...claims }).setProtectedHeader({ alg: algorithm }).sign(key);
}

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a token', () => {
  it.each([
    ['the secret', () => ({ secret })],
    ['an RSA key', () => rsa],
    ['an elliptic key', () => ec],
    ['the private key alone', () => ({ privateKeyPem: ec.privateKeyPem })],
  ])('signed with %s logs its user in', async (_what, material) => {
    const access = await open(material());
    const token = await signToken({ user: 'ann', lifetimeSeconds: hour }, signingKey(material()));
    const login = await access.login({ scheme: 'bEARER', param: token });
    expect(login.user).toBe('ann');
    expect([login.permits('Streaming'), login.permits('Server.GetStatus')]).toEqual([true, false]);
  });

  it('is checked with the certificate alone', async () => {
    const access = await open({ certificatePem: rsa.certificatePem });
    const token = await signToken({ user: 'ann', lifetimeSeconds: hour }, signingKey(rsa));
    expect(await refusal(access, bearer(token))).toBe(0);
  });

  it('carries the claims of the reference', async () => {
    const token = await signToken({ user: 'ann', lifetimeSeconds: hour }, signingKey({ secret }));
    const [header = '', payload = ''] = token.split('.');
    const decode = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString());
    const { iat, exp, sub, ...rest } = decode(payload);
    expect(decode(header)).toEqual({ alg: 'HS256', typ: 'JWT' });
    expect(sub).toBe('ann');
    expect(exp - iat).toBe(hour);
    expect(rest).toEqual({});
  });

  it.each<[string, Forgery, number]>([
    ['of somebody unknown', { claims: { sub: 'bob' } }, 6],
    ['that expired', { expires: -120 }, 5],
    ['that expired within the tolerance', { expires: -30 }, 0],
    ['that is not valid yet', { claims: { sub: 'ann', nbf: Date.now() / 1000 + hour } }, 6],
    ['that never expires', { claims: { sub: 'ann', exp: undefined } }, 6],
    ['of nobody', { claims: {} }, 6],
    ['of an empty user', { claims: { sub: '' } }, 6],
    ['of another secret', { key: createSecretKey(`${secret}!`, 'utf8') }, 6],
    ['by another algorithm', { algorithm: 'HS512' }, 6],
  ])('%s is answered', async (_what, forgery, code) => {
    expect(await refusal(await open({ secret }), bearer(await forge(forgery)))).toBe(code);
  });

  it('of another certificate is refused', async () => {
    const other = certificatePair();
    const key = createPrivateKey(other.privateKeyPem);
    const token = await forge({ algorithm: 'ES256', key });
    expect(await refusal(await open(ec), bearer(token))).toBe(6);
    expect(await refusal(await open(other), bearer(token))).toBe(0);
  });

  it('signed with the public key as if it were a secret is refused', async () => {
    const access = await open(rsa);
    const publicPem = new X509Certificate(rsa.certificatePem).publicKey.export({
      type: 'spki',
      format: 'pem',
    });
    for (const text of [String(publicPem), rsa.certificatePem]) {
      const token = await forge({ key: createSecretKey(text, 'utf8') });
      expect(await refusal(access, bearer(token))).toBe(6);
    }
  });

  it.each(['none', 'None', 'NONE'])('without a signature (%s) is refused', async (alg) => {
    const body = `${encoded({ alg })}.${encoded({ sub: 'ann', exp: Date.now() })}`;
    for (const material of [{ secret }, rsa]) {
      const access = await open(material);
      for (const token of [`${body}.`, body]) expect(await refusal(access, bearer(token))).toBe(6);
    }
  });

  it('that was cut is refused, wherever', async () => {
    const access = await open({ secret });
    const token = await forge({});
    for (let length = 0; length < token.length; length += 1) {
      expect(await refusal(access, bearer(token.slice(0, length)))).toBe(6);
    }
    expect(await refusal(access, bearer(token))).toBe(0);
  });

  it('that was changed is refused, wherever', async () => {
    const access = await open({ secret });
    const token = await forge({});
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 2), fc.string(), async (position, text) => {
        const other = `${token.slice(0, position)}${text}${token.slice(position + 1)}`;
        const code = await refusal(access, bearer(other));
        expect(code).toBe(other === token ? 0 : 6);
      }),
    );
  });

  it('is never repeated in the refusal', async () => {
    const access = await open({ secret });
    const token = await forge({ key: createSecretKey('x'.repeat(40), 'utf8') });
    for (const param of [token, 'secret-piece', `${encoded({ alg: 'secret-piece' })}.e30.e30`]) {
      const refused = access.login(bearer(param));
      await expect(refused).rejects.toThrow(/^Token validation failed$/);
      await expect(refused).rejects.not.toThrow(/secret-piece/);
    }
  });

  it('is refused as an unsupported scheme where there is no key, passwords are not', async () => {
    const access = await open({});
    expect(await refusal(access, bearer(await forge({})))).toBe(1);
    expect(await refusal(access, plain('ann:pw'))).toBe(0);
  });
});

describe('a login by token', () => {
  const other = 'another secret of the same length: 32';

  it.each([
    ['the same secret', { secret }, 'ann'],
    ['another secret', { secret: other }, undefined],
    ['a certificate', () => ec, undefined],
    ['no key', {}, undefined],
  ])('is worth what %s makes of it', async (_, tokens, user) => {
    const login = await (await open({ secret })).login(bearer(await forge({})));
    const entries = await open(typeof tokens === 'function' ? tokens() : tokens);
    expect(entries.renew(login)?.user).toBe(user);
  });
});

describe('the key of tokens', () => {
  it('prefers the secret', () => {
    expect(signingKey({ secret, ...rsa }).algorithm).toBe('HS256');
  });

  it('may be encrypted', async () => {
    const privateKeyPem = createPrivateKey(ec.privateKeyPem)
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'pass' })
      .toString();
    const encrypted = { certificatePem: ec.certificatePem, privateKeyPem };
    expect(signingKey({ ...encrypted, privateKeyPassword: 'pass' }).algorithm).toBe('ES256');
    for (const privateKeyPassword of [undefined, 'wrong']) {
      expect(() => signingKey({ ...encrypted, privateKeyPassword })).toThrow(/in key_password/);
    }
  });

  it.each<[string, () => TokenMaterial, RegExp]>([
    ['a short secret', () => ({ secret: 'x'.repeat(31) }), /has 31 characters; .* at least 32/],
    [
      'a broken certificate',
      () => ({ certificatePem: 'x' }),
      /certificate of \[ssl\] cannot be read/,
    ],
    ['a short RSA key', () => certificatePair('rsa:1024'), /cannot sign tokens; allowed: RSA of/],
    ['a key of another kind', () => certificatePair('ed25519'), /cannot sign tokens; allowed: RSA/],
  ])('is refused at the start for %s', async (_what, material, message) => {
    const started = open(material());
    await expect(started).rejects.toThrow(ConfigError);
    await expect(started).rejects.toThrow(message);
  });

  it('must belong to the certificate', () => {
    const mixed = { certificatePem: rsa.certificatePem, privateKeyPem: ec.privateKeyPem };
    expect(() => signingKey(mixed)).toThrow(/does not belong to certificate/);
  });

  it('must be there to sign', () => {
    expect(() => signingKey({})).toThrow(/there is no key to sign tokens with; set token_secret/);
  });
});

describe('a token for who has shown a password', () => {
  it.each([
    ['the secret', () => ({ secret })],
    ['an RSA key', () => rsa],
    ['a key of its own, without any configured', () => ({})],
  ])('is signed with %s', async (_what, material) => {
    const access = await open(material());
    const token = await access.issueToken(await access.login(plain('ann:pw')), hour);
    const login = await access.login(bearer(token!));
    expect([login.user, login.permits('Streaming')]).toEqual(['ann', true]);
  });

  it('ends when it was to end', async () => {
    const access = await open({ secret });
    const token = await access.issueToken(await access.login(plain('ann:pw')), -hour);
    expect(await refusal(access, bearer(token!))).toBe(5);
  });

  it('is not to be had for another token, nor for nothing', async () => {
    const access = await open({ secret });
    const login = await access.login(bearer(await forge({})));
    expect(await access.issueToken(login, hour)).toBeUndefined();
    expect(await openAccess.issueToken(openAccess.anonymous!, hour)).toBeUndefined();
  });

  it('holds for the entries that come next, and not for another server', async () => {
    const ownKey = new OwnTokenKey();
    const entries = { enabled: true, roles: ['r:*'], users: ['ann:pw:r'] };
    const gate = new AccessGate(await createAccess({ ...entries, ownKey }));
    const token = await gate.issueToken(await gate.login(plain('ann:pw')), hour);
    gate.replace(await createAccess({ ...entries, ownKey }));
    const login = await gate.login(bearer(token!));
    gate.replace(await createAccess({ ...entries, ownKey, roles: ['r:Streaming'] }));
    expect([login.permits('Streaming'), login.permits('Metrics')]).toEqual([true, false]);
    const other = await createAccess(entries);
    expect(await refusal(other, bearer(token!))).toBe(1);
    await other.issueToken(await other.login(plain('ann:pw')), hour);
    expect(await refusal(other, bearer(token!))).toBe(6);
  });

  it.each([
    ['the secret', () => ({ secret })],
    ['a private key', () => rsa],
    ['a key of its own', () => ({})],
  ])('ends with that password, also when it is signed with %s', async (_what, material) => {
    const ownKey = new OwnTokenKey();
    const entriesFor = (password: string) =>
      createAccess({
        enabled: true,
        roles: ['r:*'],
        users: [`ann:${password}:r`],
        tokens: material(),
        ownKey,
      });
    const gate = new AccessGate(await entriesFor('pw'));
    const token = await gate.issueToken(await gate.login(plain('ann:pw')), hour);
    const login = await gate.login(bearer(token!));
    gate.replace(await entriesFor('pw'));
    expect([gate.holds(login), await refusal(gate, bearer(token!))]).toEqual([true, 0]);
    gate.replace(await entriesFor('another'));
    expect([gate.holds(login), await refusal(gate, bearer(token!))]).toEqual([false, 6]);
  });

  it('does not hold where only the certificate is left of what has signed it', async () => {
    const signer = await open(rsa);
    const token = await signer.issueToken(await signer.login(plain('ann:pw')), hour);
    const checker = await open({ certificatePem: rsa.certificatePem });
    expect(await refusal(checker, bearer(token!))).toBe(6);
  });
});
