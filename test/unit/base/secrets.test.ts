import { describe, expect, it } from 'vitest';
import {
  isMasked,
  isSecretName,
  shownParameter,
  withoutSecrets,
} from '../../../src/base/secrets.ts';

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
    'AUTHKEY',
    'accesskey',
    'x-auth',
    'oauth2',
    'authentication',
    'key1',
    'pass2',
    'passcode',
    'wpa_psk',
    'PRIVATEKEY',
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
    'authors',
    'hotkey',
    'keyid',
    'compass',
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
    ['{"token":"a b","n":1}', '{"token":***,"n":1}'],
    ["{'pin' : 1234}", "{'pin' : ***}"],
    ['--json "{\\"token\\":\\"abc\\"}"', '--json "{\\"token\\":***}"'],
    ['-H "Authorization: Basic dTpw" -i x', '-H "Authorization: Basic ***" -i x'],
    ["-H 'X-Api-Key: abc'", "-H 'X-Api-Key: ***'"],
    ['-H "Cookie: a=b; c=d"', '-H "Cookie: ***"'],
    ['"apikey: abc"', '"apikey: ***"'],
    ['curl -u me:pw http://h', 'curl -u me:*** http://h'],
    ['curl --user me:pw http://h', 'curl --user me:*** http://h'],
    ['curl --proxy-user=me:pw http://h', 'curl --proxy-user=me:*** http://h'],
    ['me:pw@host/x', 'me:***@host/x'],
    ['token = abc', 'token = ***'],
    ['token[0]=abc', 'token[0]=***'],
    ['?%74oken=abc&b=2', '?%74oken=***&b=2'],
    ['--token a,b --port 5', '--token *** --port 5'],
    ['token="a\\"b" c', 'token=*** c'],
    ["token=it's&b=2", 'token=***&b=2'],
    ['--pass:abc', '--pass:***'],
    [`-k ${'BQ-a_'.repeat(8)} -n x`, '-k *** -n x'],
    [`${'a'.repeat(100)}_token=abc`, `${'a'.repeat(100)}_token=***`],
    ['Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.sig', 'Authorization: Bearer ***'],
  ])('%j is shown as %j', (text, shown) => {
    expect(withoutSecrets(text)).toBe(shown);
  });

  it.each([
    'Wrong user or password: unknown user',
    '--verbose --force now',
    'curl -k https://host/path?x=1 -o file',
    'the pipe /tmp/a@b cannot be used',
    'write user:password, Basic or Bearer',
    '"password" is written twice: remove one',
    'Auth:debug,Stream:info, [::1]:4953, 12:30, tcp://h:4953',
    '{"title":"a: b","author":"me","n":[1]}',
    '--queueid=ab --socket=/tmp/x.sock --streamserver-ip=1.2.3.4',
    '[authorization] token_secret has 5 characters; allowed: at least 32',
  ])('without any is left alone: %s', (text) => {
    expect(withoutSecrets(text)).toBe(text);
  });

  it.each([
    'a'.repeat(200_000),
    '-'.repeat(200_000),
    '://'.repeat(70_000),
    'key '.repeat(50_000),
    '"a'.repeat(100_000),
    'a:'.repeat(100_000),
    ',a:b'.repeat(50_000),
    'a-'.repeat(100_000),
    `key="${'\\'.repeat(200_000)}`,
    `key="${"'".repeat(200_000)}`,
    'key="'.repeat(40_000),
    '"key":"'.repeat(30_000),
    'cookie: '.repeat(25_000),
    '%41'.repeat(70_000),
    `key=${"a'".repeat(100_000)}`,
  ])('costs little, however long it is', (text) => {
    const startMs = performance.now();
    withoutSecrets(text);
    expect(performance.now() - startMs).toBeLessThan(1000);
  });
});

describe('a parameter of an address', () => {
  it('is known to be masked when it comes back', () => {
    for (const [name, value] of [
      ['token', 'abc'],
      ['controlscriptparams', '--token=abc --url=http://a:b@c/'],
      ['controlscriptparams', '{"token":"abc"}'],
      ['params', '-H "Authorization: Bearer abc" -u me:pw'],
    ] as const) {
      expect(isMasked(name, value)).toBe(false);
      expect(isMasked(name, shownParameter(name, value))).toBe(true);
    }
    for (const name of ['name', 'devicename', 'title']) expect(isMasked(name, 'xxx')).toBe(false);
  });
});
