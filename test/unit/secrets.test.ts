import { describe, expect, it } from 'vitest';
import { isMasked, isSecretName, shownParameter, withoutSecrets } from '../../src/secrets.ts';

describe('the name of a parameter', () => {
  it.each([
    'token',
    'access_token',
    'X-Plex-Token',
    'apikey',
    'API-KEY',
    'key',
    'authKey',
    'auth',
    'client_secret',
    'password',
    'passwd',
    '--pass',
    'username',
  ])('%s tells of a secret', (name) => {
    expect(isSecretName(name)).toBe(true);
  });

  it.each([
    'name',
    'codec',
    'sampleformat',
    'queueid',
    'author',
    'keyboard',
    'bypass',
    'socket',
    'chunk_ms',
  ])('%s does not', (name) => {
    expect(isSecretName(name)).toBe(false);
  });
});

describe('a text', () => {
  it.each([
    ['--token=abc --port 5', '--token=*** --port 5'],
    ['--token abc', '--token ***'],
    ['--password "a b" -x', '--password *** -x'],
    ["password='a b'", 'password=***'],
    ['x%20--token%3Dabc', 'x%20--token%3D***'],
    ['see http://me:pw@host/x and smb://you@there', 'see http://***@host/x and smb://***@there'],
    ['GET /?a=1&token=abc&b=2', 'GET /?a=1&token=***&b=2'],
    ['Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.sig', 'Authorization: Bearer ***'],
  ])('%j is shown as %j', (text, shown) => {
    expect(withoutSecrets(text)).toBe(shown);
  });

  it.each([
    'Wrong user or password: unknown user',
    '--verbose --force now',
    'the pipe /tmp/a@b cannot be used',
    'write user:password, Basic or Bearer',
    '--queueid=ab --socket=/tmp/x.sock --streamserver-ip=1.2.3.4',
    '[authorization] token_secret has 5 characters; allowed: at least 32',
  ])('without any is left alone: %s', (text) => {
    expect(withoutSecrets(text)).toBe(text);
  });

  it.each(['a'.repeat(200_000), '-'.repeat(200_000), '://'.repeat(70_000), 'key '.repeat(50_000)])(
    'costs little, however long it is',
    (text) => {
      const startMs = performance.now();
      withoutSecrets(text);
      expect(performance.now() - startMs).toBeLessThan(1000);
    },
  );
});

describe('a parameter of an address', () => {
  it('is known to be masked when it comes back', () => {
    for (const [name, value] of [
      ['token', 'abc'],
      ['controlscriptparams', '--token=abc --url=http://a:b@c/'],
    ] as const) {
      expect(isMasked(name, value)).toBe(false);
      expect(isMasked(name, shownParameter(name, value))).toBe(true);
    }
    for (const name of ['name', 'devicename', 'title']) expect(isMasked(name, 'xxx')).toBe(false);
  });
});
