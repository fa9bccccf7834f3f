import { createSecretKey } from 'node:crypto';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseBasic, parsePlain } from '../../../src/auth/credential-text.ts';
import { tokenVerifier } from '../../../src/auth/tokens.ts';
import { RpcError } from '../../../src/base/errors.ts';
import { parseTarget } from '../../../src/http/exchange.ts';
import { OriginCheck } from '../../../src/http/origin-check.ts';
import { RefusedRequestError } from '../../../src/http/refused-request-error.ts';
import { hostileText, mutationsOf } from '../../support/hostile-values.ts';
import { HttpRig, WebFolder } from '../../support/http-rig.ts';
import { LogLines } from '../../support/log-lines.ts';

const mutatedText = (originals: readonly string[]) =>
  mutationsOf(originals.map((original) => Buffer.from(original))).map((bytes) =>
    bytes.toString('latin1'),
  );

describe('the target of a request', () => {
  it('names a path that begins with a slash, or is refused', () => {
    const originals = ['/a/b?c=d', 'http://box:1780/jsonrpc?x', '//evil/%2e%2e', '*', 'box:443'];
    fc.assert(
      fc.property(fc.oneof(hostileText, mutatedText(originals)), (target) => {
        try {
          const { path, query } = parseTarget(target);
          expect(path).toMatch(/^\/[^?#]*$/);
          expect(query).not.toContain('#');
        } catch (error) {
          expect(error).toBeInstanceOf(RefusedRequestError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('Origin and Host', () => {
  const originals = ['http://box.lan:1780', 'https://[fd00::1]', 'null', 'app://x', 'box:1780'];
  const header = fc.oneof(hostileText, mutatedText(originals), fc.constantFrom(...originals));
  const check = new OriginCheck(() => ({ allowedOrigins: ['http://good'] }), new LogLines());

  function passes(origin: string, host: string | undefined): boolean {
    const headers = { origin, ...(host !== undefined && { host }) };
    try {
      check.check({ headers });
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(RefusedRequestError);
      return false;
    }
  }

  it('of any text pass or are refused, and only who passes may read the answer', () => {
    fc.assert(
      fc.property(header, fc.option(header, { nil: undefined }), (origin, host) => {
        const headers = { origin, ...(host !== undefined && { host }) };
        const allowed = check.headersFor({ headers })['Access-Control-Allow-Origin'];
        expect(allowed).toBe(passes(origin, host) ? origin : undefined);
      }),
      { numRuns: 1000 },
    );
  });

  it('never let the page of another name in the internet pass', () => {
    const label = fc.stringMatching(/^[a-z0-9]{1,8}$/);
    fc.assert(
      fc.property(label, header, (name, host) => {
        expect(passes(`http://${name}.example.com`, host)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });
});

describe('credentials', () => {
  it.each([
    ['plain', parsePlain],
    ['basic', parseBasic],
  ] as const)('of any text for %s are a name and a password, or an error', (_, parse) => {
    const originals = ['ann:secret:x', Buffer.from('ann:pässword').toString('base64')];
    fc.assert(
      fc.property(fc.oneof(hostileText, mutatedText(originals)), (some) => {
        try {
          const { name, password } = parse(some);
          expect(name).not.toContain(':');
          expect(typeof password).toBe('string');
        } catch (error) {
          expect(error).toBeInstanceOf(RpcError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('of any text for a token are refused, and the refusal repeats nothing of it', async () => {
    const key = createSecretKey('a secret that is long enough to sign with', 'utf8');
    const verify = await tokenVerifier({ key, algorithm: 'HS256' });
    const token = await new SignJWT({ sub: 'ann', exp: Math.floor(Date.now() / 1000) + 60 })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(key);
    expect(await verify(token)).toMatchObject({ user: 'ann' });
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${token.split('.')[1]}.`;
    const some = fc.oneof(hostileText, mutatedText([token, none]));
    await fc.assert(
      fc.asyncProperty(some, async (text) => {
        // A change may fall into what base64 does not look at.
        const refusal = await verify(text).then(
          ({ user }) => user === 'ann' || Promise.reject(new Error(`it let ${user} in`)),
          (error: unknown) => error,
        );
        if (refusal === true) return;
        expect(refusal).toBeInstanceOf(RpcError);
        if (text.length > 20) expect((refusal as Error).message).not.toContain(text);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a Range', () => {
  const content = '0123456789'.repeat(10);
  let folder: WebFolder;
  let rig: HttpRig;

  beforeAll(async () => {
    folder = await WebFolder.make({ 'pages/digits.txt': content });
    rig = await HttpRig.open({ docRoot: folder.docRoot });
  });
  afterAll(async () => {
    await rig.close();
    await folder.remove();
  });

  function ask(range: string): Promise<{ status: number; body: string; range?: string }> {
    return new Promise((resolve, reject) => {
      const headers = { Range: range };
      const asked = request({ port: rig.port, path: '/digits.txt', headers, agent: false });
      asked.on('error', reject).on('response', async (response) => {
        const of = response.headers['content-range'];
        const body = await text(response);
        resolve({ status: response.statusCode ?? 0, body, ...(of !== undefined && { range: of }) });
      });
      asked.end();
    });
  }

  it('of any kind gets the whole, exactly the part that is named, or a refusal', async () => {
    const numbers = fc.tuple(fc.nat(130), fc.nat(130));
    const range = fc.oneof(
      numbers.map(([from, to]) => `bytes=${from}-${to}`),
      mutatedText(['bytes=0-9', 'bytes=-5,1-2,9-', 'bytes=99-', 'lines=1-2']),
    );
    await fc.assert(
      fc.asyncProperty(
        // Node itself refuses to send the rest.
        range.filter((some) => /^[\t\x20-\x7e\x80-\xff]+$/.test(some)),
        async (some) => {
          const answer = await ask(some);
          expect([200, 206, 416]).toContain(answer.status);
          if (answer.status === 200) expect(answer.body).toBe(content);
          if (answer.status !== 206) return;
          const [, from, to] = /^bytes (\d+)-(\d+)\/100$/.exec(answer.range ?? '') ?? [];
          expect(answer.body).toBe(content.slice(Number(from), Number(to) + 1));
        },
      ),
      { numRuns: 150 },
    );
  });
});
