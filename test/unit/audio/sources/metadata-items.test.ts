import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type MetadataItem,
  MetadataItems,
  maxItemBytes,
} from '../../../../src/audio/sources/metadata-items.ts';
import { coverItems, metadataItem, songItems } from '../../../support/metadata-items.ts';

function itemsOf(...pieces: readonly (Buffer | string)[]): readonly MetadataItem[] {
  const taken: MetadataItem[] = [];
  const items = new MetadataItems((item) => void taken.push(item));
  for (const piece of pieces) items.write(Buffer.from(piece));
  return taken;
}

const title = metadataItem('core', 'minm', 'A "title" & more');
const expected = [{ type: 'core', code: 'minm', data: Buffer.from('A "title" & more') }];

describe('items of the metadata pipe', () => {
  it('are read with their data, also without any', () => {
    expect(itemsOf(title)).toEqual(expected);
    expect(itemsOf(metadataItem('ssnc', 'pbeg'))).toEqual([
      { type: 'ssnc', code: 'pbeg', data: Buffer.alloc(0) },
    ]);
    const withData = '<item><type>73736e63</type><code>70656e64</code><length>0</length>';
    expect(itemsOf(`${withData}\n<data encoding="base64">\n</data></item>`)[0]?.code).toBe('pend');
  });

  it('may have their data on several lines', () => {
    const cover = randomBytes(100_000);
    const text = metadataItem('ssnc', 'PICT', cover).toString();
    const lines = text.replace(/[A-Za-z0-9+/]{76}(?=[A-Za-z0-9+/])/g, '$&\n');
    expect(lines.length).toBeGreaterThan(text.length + 1000);
    expect(itemsOf(lines)).toEqual([{ type: 'ssnc', code: 'PICT', data: cover }]);
  });

  it('are the same in pieces of any size', () => {
    const cover = randomBytes(3001);
    const whole = Buffer.concat([songItems('T', 'A', 'B'), coverItems(cover), title]);
    const expected = itemsOf(whole);
    expect(expected.length).toBe(9);
    for (const size of [1, 2, 3, 7, 64, 1000, 4096]) {
      const pieces = Array.from({ length: Math.ceil(whole.length / size) }, (_, at) =>
        whole.subarray(at * size, (at + 1) * size),
      );
      expect(itemsOf(...pieces)).toEqual(expected);
    }
  });

  it('may be as large as the limit, and are skipped beyond it', () => {
    const largest = randomBytes(maxItemBytes);
    expect(itemsOf(metadataItem('ssnc', 'PICT', largest))[0]?.data.equals(largest)).toBe(true);
    const larger = metadataItem('ssnc', 'PICT', Buffer.alloc(maxItemBytes + 1));
    expect(itemsOf(larger, title)).toEqual(expected);
    expect(itemsOf(metadataItem('ssnc', 'PICT', Buffer.alloc(20 * 2 ** 20)), title)).toEqual(
      expected,
    );
  });

  it.each([
    ['nothing that is an item', 'garbage < > <itemitem> \0\xff'],
    ['an item that was cut in its head', '<item><type>636f72'],
    ['an item that was cut behind its length', title.subarray(0, 78)],
    ['an item that was cut in its data', title.subarray(0, -20)],
    ['an item that was cut behind its data', title.toString().replace('</data></item>', '</da')],
    ['data that are no base64', title.toString().replace('QSAi', 'Q!!i')],
    ['data that are too short', title.toString().replace('>16<', '>17<')],
    ['data that are too long', title.toString().replace('>16<', '>15<')],
    ['data with padding within', title.toString().replace('QSAi', 'QQ==')],
    ['a type of other digits', title.toString().replace('636f7265', '63Xf7265')],
    ['a length that is none', title.toString().replace('>16<', '>-1<')],
    ['a length without end', title.toString().replace('>16<', `>${'9'.repeat(5000)}<`)],
    ['another encoding', title.toString().replace('base64', 'base32')],
    ['a gap without end', title.toString().replace('\n<data', `${' '.repeat(5000)}<data`)],
  ])('come through behind %s', (_, damage) => {
    expect(itemsOf(damage, title)).toEqual(expected);
    expect(itemsOf(...[...Buffer.from(damage)].map((byte) => Buffer.of(byte)), title)).toEqual(
      expected,
    );
  });

  it('flood the reader without keeping anything', () => {
    const items = new MetadataItems(() => expect.unreachable('there is no item'));
    const blanks = Buffer.alloc(65_536, ' ');
    items.write(
      Buffer.from('<item><type>73736e63</type><code>50494354</code><length>9</length>\n'),
    );
    items.write(Buffer.from('<data encoding="base64">'));
    const before = process.memoryUsage().heapUsed;
    for (let times = 0; times < 500; times += 1) items.write(blanks);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(16 * 2 ** 20);
  });
});
