import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxParts, readMultipart } from '../../../src/http/multipart.ts';
import { RefusedRequestError } from '../../../src/http/refused-request-error.ts';
import { mutationsOf } from '../../support/hostile-values.ts';

const boundary = 'X-zero-1';
const type = `multipart/form-data; boundary=${boundary}`;

function part(head: string, content: string | Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`),
    Buffer.from(content),
    Buffer.from('\r\n'),
  ]);
}

function form(...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]);
}

describe('a form', () => {
  it('holds fields and a file', () => {
    const sound = Buffer.from([0, 13, 10, 45, 45, 255]);
    const body = form(
      part('name="group"', 'Küche'),
      part('name="clip"; filename="bell.wav"\r\nContent-Type: audio/wav', sound),
      part('name="empty"', ''),
    );
    expect(readMultipart(body, type)).toEqual({
      fields: [
        ['group', 'Küche'],
        ['empty', ''],
      ],
      file: sound,
    });
    expect(readMultipart(body, `multipart/form-data; boundary="${boundary}"`).file).toEqual(sound);
  });

  it('may have text before its first part and behind its last', () => {
    const body = Buffer.concat([
      Buffer.from('a preamble\r\n'),
      form(part('name="a"', 'b')),
      Buffer.from('an epilogue'),
    ]);
    expect(readMultipart(body, type)).toEqual({ fields: [['a', 'b']], file: undefined });
  });

  it('keeps every byte of a file', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        const file = Buffer.from(bytes);
        fc.pre(!file.includes(`\r\n--${boundary}`));
        expect(readMultipart(form(part('name="f"; filename=""', file)), type).file).toEqual(file);
      }),
    );
  });

  it.each<[string, Buffer, string]>([
    ['no boundary', form(), 'multipart/form-data'],
    ['a boundary that is too long', form(), `multipart/form-data; boundary=${'x'.repeat(71)}`],
    ['another boundary', form(part('name="a"', 'b')), 'multipart/form-data; boundary=other'],
    ['no end', part('name="a"', 'b'), type],
    ['a head without end', Buffer.from(`--${boundary}\r\nContent-Disposition: x`), type],
    ['a part without name', form(part('x="a"', 'b')), type],
    ['two files', form(...['a', 'b'].map((n) => part(`name="${n}"; filename="x"`, 'x'))), type],
    ['too many parts', form(...Array(maxParts + 1).fill(part('name="a"', 'b'))), type],
    ['nothing', Buffer.alloc(0), type],
  ])('with %s is refused', (_, body, contentType) => {
    expect(() => readMultipart(body, contentType)).toThrow(RefusedRequestError);
  });

  it('with any damage is taken or refused', () => {
    const whole = form(part('name="a"', 'b'), part('name="f"; filename="x"', 'sound'));
    fc.assert(
      fc.property(mutationsOf([whole]), (body) => {
        try {
          const { fields, file } = readMultipart(body, type);
          const bytes = fields.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
          expect(bytes + (file?.length ?? 0)).toBeLessThanOrEqual(body.length);
        } catch (error) {
          expect(error).toBeInstanceOf(RefusedRequestError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
