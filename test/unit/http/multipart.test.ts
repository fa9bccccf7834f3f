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
  it('holds fields and a file', async () => {
    const sound = Buffer.from([0, 13, 10, 45, 45, 255]);
    const body = form(
      part('name="group"', 'Küche'),
      part('name="clip"; filename="bell.wav"\r\nContent-Type: audio/wav', sound),
      part('name="empty"', ''),
    );
    expect(await readMultipart(body, type)).toEqual({
      fields: [
        ['group', 'Küche'],
        ['empty', ''],
      ],
      file: sound,
    });
    const quoted = `multipart/form-data; boundary="${boundary}"`;
    expect((await readMultipart(body, quoted)).file).toEqual(sound);
  });

  it('may have text before its first part and behind its last', async () => {
    const body = Buffer.concat([
      Buffer.from('a preamble\r\n'),
      form(part('name="a"', 'b')),
      Buffer.from('an epilogue'),
    ]);
    expect(await readMultipart(body, type)).toEqual({ fields: [['a', 'b']], file: undefined });
  });

  it('keeps every byte of a file', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), async (bytes) => {
        const file = Buffer.from(bytes);
        fc.pre(!file.includes(`\r\n--${boundary}`));
        const whole = form(part('name="f"; filename=""', file));
        expect((await readMultipart(whole, type)).file).toEqual(file);
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
  ])('with %s is refused', async (_, body, contentType) => {
    await expect(readMultipart(body, contentType)).rejects.toThrow(RefusedRequestError);
  });

  it('that is long is found its parts in wherever they end', async () => {
    for (let more = 0; more < 40; more += 1) {
      const file = Buffer.alloc(2 ** 17 - 120 + more);
      const body = form(part('name="f"; filename="x"', file), part('name="a"', 'b'));
      expect((await readMultipart(body, type)).file?.length).toBe(file.length);
    }
  });

  it('that is long leaves others their turns, whatever is in it', async () => {
    const file = Buffer.alloc(16 * 2 ** 20, '\r\n--');
    const reading = readMultipart(form(part('name="f"; filename="x"', file)), type);
    let turns = 0;
    let isRead = false;
    const count = () => {
      turns += 1;
      if (!isRead) setImmediate(count);
    };
    count();
    expect((await reading).file?.length).toBe(file.length);
    isRead = true;
    expect(turns).toBeGreaterThan(3);
  });

  it('with any damage is taken or refused', async () => {
    const whole = form(part('name="a"', 'b'), part('name="f"; filename="x"', 'sound'));
    await fc.assert(
      fc.asyncProperty(mutationsOf([whole]), async (body) => {
        try {
          const { fields, file } = await readMultipart(body, type);
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
