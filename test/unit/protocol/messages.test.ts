import { describe, expect, it } from 'vitest';
import { readTimeUs, writeTimeUs } from '../../../src/protocol/layout.ts';
import {
  clientIdOf,
  decodeClientInfo,
  decodeCodecHeader,
  decodeHello,
  decodeRefusal,
  decodeServerSettings,
  decodeTimeLatencyUs,
  decodeWireChunk,
  encodeCodecHeader,
  encodeHello,
  encodeRefusal,
  encodeServerSettings,
  encodeTimeReply,
  encodeTimeRequest,
  maxAuthTextLength,
  maxHelloTextLength,
  stampSent,
} from '../../../src/protocol/messages.ts';

const json = (text: string): Buffer => {
  const body = Buffer.alloc(4 + Buffer.byteLength(text));
  body.writeUInt32LE(Buffer.byteLength(text));
  body.write(text, 4);
  return body;
};

const bodyOf = (message: Buffer): Buffer => message.subarray(26);

describe('messages', () => {
  // The captured messages of the protocol reference, appendix A.
  it('writes ServerSettings as captured, but for the field that nobody reads', () => {
    const message = encodeServerSettings(
      { bufferMs: 1000, latencyMs: 0, muted: false, volume: 100 },
      7,
    );
    stampSent(message, 0x8fb * 1_000_000 + 0x60ec1);
    message.writeUInt32LE(0x8fb, 14);
    message.writeUInt32LE(0x60ebf, 18);
    expect(message.toString('hex')).toBe(
      '030000000700fb080000c10e0600fb080000bf0e06003c000000' +
        '380000007b226275666665724d73223a313030302c226c6174656e6379223a302c226d75746564223a66616c73652c22766f6c756d65223a3130307d',
    );
  });

  it('writes a Time reply as captured', () => {
    const reply = encodeTimeReply({
      requestId: 0x0201,
      receivedUs: 0x8fb * 1_000_000 + 0x63c53,
      latencyUs: 167,
    });
    stampSent(reply, 0x8fb * 1_000_000 + 0x63c5e);
    expect(reply.toString('hex')).toBe(
      '040001020102fb0800005e3c0600fb080000533c06000800000000000000a7000000',
    );
  });

  it('writes the CodecHeader body of pcm as captured', () => {
    const payload = Buffer.alloc(44, 1);
    const body = bodyOf(encodeCodecHeader('pcm', payload));
    expect(body.toString('hex')).toBe(`0300000070636d2c000000${payload.toString('hex')}`);
    expect(body.length).toBe(55);
    expect(bodyOf(encodeCodecHeader('null', Buffer.alloc(0))).toString('hex')).toBe(
      '040000006e756c6c00000000',
    );
  });

  it.each([
    [-300_000, -1, 700_000],
    [-417_182, -1, 582_818],
    [0, 0, 0],
    [1_999_999.6, 2, 0],
    [-1, -1, 999_999],
  ])('writes %d microseconds as %i s and %i us', (timeUs, sec, usec) => {
    const target = Buffer.alloc(8);
    writeTimeUs(target, 0, timeUs);
    expect([target.readInt32LE(0), target.readInt32LE(4)]).toEqual([sec, usec]);
    expect(readTimeUs(target, 0)).toBe(Math.round(timeUs));
  });

  it('reads the Hello of a real client', () => {
    const hello = decodeHello(
      json(
        '{"Arch":"x86_64","ClientName":"Snapclient","HostName":"vm","ID":"probe","Instance":1,"MAC":"02:fc:00:00:00:01","OS":"Debian GNU/Linux 12 (bookworm)","SnapStreamProtocolVersion":2,"Version":"0.34.0"}',
      ),
    );
    expect(hello).toEqual({
      arch: 'x86_64',
      clientName: 'Snapclient',
      hostName: 'vm',
      id: 'probe',
      instance: 1,
      mac: '02:fc:00:00:00:01',
      os: 'Debian GNU/Linux 12 (bookworm)',
      protocolVersion: 2,
      version: '0.34.0',
    });
    expect(decodeHello(bodyOf(encodeHello(hello, 1)))).toEqual(hello);
  });

  it('treats what is missing or of the wrong type in a Hello as empty', () => {
    const hello = decodeHello(json('{"MAC":"m","Instance":"x","OS":null,"Version":[1],"Extra":1}'));
    expect(hello).toMatchObject({ mac: 'm', id: 'm', instance: 1, os: '', version: '' });
    expect(clientIdOf(decodeHello(json('{}')))).toBe('');
  });

  it('cuts texts of a Hello that are longer than any name', () => {
    const hello = decodeHello(json(JSON.stringify({ HostName: 'x'.repeat(5000) })));
    expect(hello.hostName).toHaveLength(maxHelloTextLength);
  });

  it.each(['ID', 'MAC'])('refuses a Hello whose %s is too long, instead of cutting it', (field) => {
    const hello = (length: number) => json(JSON.stringify({ [field]: 'x'.repeat(length) }));
    expect(clientIdOf(decodeHello(hello(maxHelloTextLength)))).toHaveLength(maxHelloTextLength);
    expect(() => decodeHello(hello(maxHelloTextLength + 1))).toThrow(
      `the ${field} of a Hello has 129 characters, 128 are allowed`,
    );
  });

  it.each([
    ['{"ID":"a","Instance":1}', 'a'],
    ['{"ID":"a","Instance":2}', 'a#2'],
    ['{"ID":"a","Instance":0}', 'a#0'],
    ['{"ID":"","MAC":"00:11","Instance":1}', '00:11'],
  ])('knows the client %s as %s', (text, id) => {
    expect(clientIdOf(decodeHello(json(text)))).toBe(id);
  });

  it('reads a Client Info with its defaults and within its range', () => {
    expect(decodeClientInfo(json('{"volume":50,"muted":true}'))).toEqual({
      volume: 50,
      muted: true,
    });
    expect(decodeClientInfo(json('{}'))).toEqual({ volume: 100, muted: false });
    expect(decodeClientInfo(json('{"volume":-5}')).volume).toBe(0);
    expect(decodeClientInfo(json('{"volume":500}')).volume).toBe(100);
  });

  it('reads what a Hello shows to be let in, and writes it', () => {
    const auth = { scheme: 'Basic', param: 'dXNlcjpwYXNz' };
    const hello = decodeHello(json('{"ID":"a","Auth":{"scheme":"Basic","param":"dXNlcjpwYXNz"}}'));
    expect(hello.auth).toEqual(auth);
    expect(decodeHello(bodyOf(encodeHello(hello, 1)))).toEqual(hello);
  });

  it.each([
    '{}',
    '{"Auth":null}',
    '{"Auth":"Basic dXNlcg=="}',
    '{"Auth":[]}',
    '{"Auth":{"scheme":"Basic"}}',
    '{"Auth":{"scheme":"Basic","param":7}}',
    JSON.stringify({ Auth: { scheme: 'Basic', param: 'x'.repeat(maxAuthTextLength + 1) } }),
  ])('takes the Hello %.60s as one without credentials', (text) => {
    expect(decodeHello(json(text))).not.toHaveProperty('auth');
  });

  it('does not cut credentials, which would become other ones', () => {
    const param = 'x'.repeat(maxAuthTextLength);
    const hello = decodeHello(json(JSON.stringify({ Auth: { scheme: 'Bearer', param } })));
    expect(hello.auth?.param).toBe(param);
  });

  it('writes a refusal: a code, a name and a detail', () => {
    const refusal = { code: 401, name: 'Unauthorized', detail: 'Wer da?' };
    const message = encodeRefusal(refusal, 0x0201);
    expect(message.toString('hex')).toBe(
      `080000000102${'00'.repeat(16)}1f000000` +
        `910100000c000000${Buffer.from('Unauthorized').toString('hex')}` +
        `07000000${Buffer.from('Wer da?').toString('hex')}`,
    );
    expect(decodeRefusal(bodyOf(message))).toEqual(refusal);
  });

  it.each(['', '{', '[]', 'null', '"x"', '{"a":'])('refuses the Hello text %j', (text) => {
    expect(() => decodeHello(json(text))).toThrow(
      expect.objectContaining({
        code: 'bad-json',
        message: expect.stringMatching(/Hello is (not JSON|no JSON object)/),
      }),
    );
  });

  it('does not repeat what it could not read: it may hold a password', () => {
    expect(() => decodeHello(json('{"Auth":{"param":"secret'))).toThrow(/^a Hello is not JSON$/);
  });

  it('refuses every message that is cut short, and nothing else happens', () => {
    const settings = { bufferMs: 1, latencyMs: 2, muted: true, volume: 3 };
    const whole: [Buffer, (body: Buffer) => unknown][] = [
      [json('{"ID":"a"}'), decodeHello],
      [json('{"volume":1}'), decodeClientInfo],
      [bodyOf(encodeServerSettings(settings, 1)), decodeServerSettings],
      [bodyOf(encodeCodecHeader('flac', Buffer.alloc(42))), decodeCodecHeader],
      [bodyOf(encodeRefusal({ code: 401, name: 'No', detail: 'way' }, 1)), decodeRefusal],
      [bodyOf(encodeTimeRequest(1)), decodeTimeLatencyUs],
      [Buffer.from('000000000000000004000000aabbccdd', 'hex'), decodeWireChunk],
    ];
    for (const [body, decode] of whole) {
      expect(() => decode(body)).not.toThrow();
      for (let length = 0; length < body.length; length += 1) {
        expect(() => decode(body.subarray(0, length))).toThrow(
          expect.objectContaining({ name: 'ProtocolError' }),
        );
      }
    }
  });

  it('reads back what the server sends', () => {
    const settings = { bufferMs: 742, latencyMs: -10, muted: true, volume: 3 };
    expect(decodeServerSettings(bodyOf(encodeServerSettings(settings, 1)))).toEqual(settings);
    const header = decodeCodecHeader(bodyOf(encodeCodecHeader('flac', Buffer.from('abc'))));
    expect([header.codec, header.payload.toString()]).toEqual(['flac', 'abc']);
    const reply = encodeTimeReply({ requestId: 9, receivedUs: 1, latencyUs: -300_000 });
    expect(decodeTimeLatencyUs(bodyOf(reply))).toBe(-300_000);
  });
});
