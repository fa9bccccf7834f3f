import { describe, expect, it } from 'vitest';
import { OriginCheck } from '../../../src/http/origin-check.ts';
import { LogLines } from '../../support/log-lines.ts';

interface Case {
  readonly origin?: string;
  readonly host?: string;
  readonly allowed?: readonly string[];
  readonly ownNames?: readonly string[];
}

function checkOf(allowed: readonly string[], logger = new LogLines()): OriginCheck {
  return new OriginCheck(() => ({ allowedOrigins: allowed }), logger);
}

function headersOf({ origin, host }: Case) {
  return {
    headers: { ...(origin !== undefined && { origin }), ...(host !== undefined && { host }) },
  };
}

describe('a check of origins', () => {
  it.each<[string, Case]>([
    ['a program that is no browser', { host: 'box:1780' }],
    ['the page of this server', { origin: 'http://box:1780', host: 'box:1780' }],
    ['a page from another port', { origin: 'http://box:8123', host: 'box:1780' }],
    ['a page over HTTPS', { origin: 'https://box', host: 'box:1780' }],
    ['a name in another case', { origin: 'http://Box', host: 'bOX:1780' }],
    ['an address', { origin: 'http://10.0.0.7', host: '10.0.0.7:1780' }],
    ['an IPv6 address', { origin: 'http://[fd00::1]:80', host: '[FD00:0::1]:1780' }],
    [
      'a page that is listed',
      { origin: 'http://mopidy:6680', host: 'box:1780', allowed: ['http://mopidy:6680'] },
    ],
    [
      'a page that is listed in another case',
      { origin: 'http://mopidy', host: 'box', allowed: ['http://Mopidy'] },
    ],
    ['a name of the local network', { origin: 'http://box.lan', host: 'box.lan:1780' }],
    [
      'a public name that is set as that of the server',
      { origin: 'https://music.example', host: 'music.example', ownNames: ['Music.example'] },
    ],
    ['an app that is listed', { origin: 'app://snap', host: 'box', allowed: ['app://snap'] }],
    ['any page when all are allowed', { origin: 'http://evil', host: 'box', allowed: ['*'] }],
    ['a hidden origin when all are allowed', { origin: 'null', host: 'box', allowed: ['*'] }],
  ])('lets %s pass', (_, { allowed = [], ownNames = [], ...asking }) => {
    const check = new OriginCheck(() => ({ allowedOrigins: allowed, ownNames }), new LogLines());
    expect(() => check.check(headersOf(asking))).not.toThrow();
  });

  it.each<[string, Case]>([
    ['a page of another host', { origin: 'http://evil', host: 'box:1780' }],
    [
      'a public name that points here, as it does in DNS rebinding',
      { origin: 'http://evil.example:1780', host: 'evil.example:1780' },
    ],
    ['a host that only begins alike', { origin: 'http://box.evil', host: 'box:1780' }],
    ['a host that only ends alike', { origin: 'http://evilbox', host: 'box:1780' }],
    ['a hidden origin', { origin: 'null', host: 'box', allowed: ['http://mopidy'] }],
    ['a hidden origin that is asked as null', { origin: 'null', host: 'null' }],
    [
      'another port of a listed page',
      { origin: 'http://a:1', host: 'box', allowed: ['http://a:2'] },
    ],
    ['another scheme of a listed page', { origin: 'https://a', host: 'b', allowed: ['http://a'] }],
    ['a name in the place of a user', { origin: 'http://box@evil', host: 'box' }],
    ['a host with a user', { origin: 'http://evil', host: 'box@evil' }],
    ['an origin with a path', { origin: 'http://box/x', host: 'box' }],
    ['two origins', { origin: 'http://box, http://evil', host: 'box' }],
    ['an empty origin', { origin: '', host: 'box' }],
    ['an empty origin and host', { origin: '', host: '' }],
    ['a page when no host is named', { origin: 'http://box' }],
    ['another scheme of this host', { origin: 'ftp://box', host: 'box' }],
  ])('refuses %s, naming the setting', (_, { allowed = [], ...asking }) => {
    const check = checkOf(allowed);
    expect(() => check.check(headersOf(asking))).toThrow(/\[http\] allowed_origin/);
    expect(check.headersFor(headersOf(asking))).toEqual({ Vary: 'Origin' });
  });

  it('says once what it refused, not again for each attempt', () => {
    const log = new LogLines();
    const check = checkOf([], log);
    for (let turn = 0; turn < 20; turn += 1) {
      expect(() => check.check(headersOf({ origin: 'http://evil', host: 'box' }))).toThrow();
    }
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toMatchObject({
      level: 'warn',
      fields: { origin: 'http://evil', remedy: expect.stringContaining('[http] allowed_origin') },
    });
  });

  it('lets exactly the permitted page read the answer', () => {
    const asking = headersOf({ origin: 'http://mopidy:6680', host: 'box' });
    expect(checkOf(['http://mopidy:6680']).headersFor(asking)).toEqual({
      'Access-Control-Allow-Origin': 'http://mopidy:6680',
      Vary: 'Origin',
    });
    expect(checkOf(['*']).headersFor(asking)).toEqual({ 'Access-Control-Allow-Origin': '*' });
  });
});
