import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IcySplitter, type IcyTitle } from '../../../../../src/audio/sources/radio/icy-titles.ts';
import { metadata } from '../../../../support/radio-station.ts';

/** What is told of one block of metadata. */
function told(text: string | Buffer): IcyTitle | undefined {
  const titles: IcyTitle[] = [];
  const splitter = new IcySplitter(1, (title) => titles.push(title));
  for (const _ of splitter.split(Buffer.concat([Buffer.of(1), metadata(text)])));
  return titles[0];
}

describe('a title of a station', () => {
  it.each<[string | Buffer, IcyTitle | undefined]>([
    ["StreamTitle='Miles Davis - So What';", { artist: 'Miles Davis', title: 'So What' }],
    ["StreamTitle='A - B - C';StreamUrl='http://x';", { artist: 'A', title: 'B - C' }],
    ["StreamTitle='It's a 'quoted'; one';StreamUrl='';", { title: "It's a 'quoted'; one" }],
    ["StreamTitle='He said: 'Go';';StreamUrl='';", { title: "He said: 'Go';" }],
    ["StreamTitle='no end", { title: 'no end' }],
    ["StreamUrl='x';StreamTitle='behind';", { title: 'behind' }],
    ["StreamTitle='';StreamUrl='';", {}],
    ["StreamTitle=' - only';", { title: '- only' }],
    ["StreamUrl='http://x';", undefined],
    ['', undefined],
    ['garbage\x00\x01', undefined],
    ["StreamTitle='Bj\u00f6rk - J\u00f3ga';", { artist: 'Bj\u00f6rk', title: 'J\u00f3ga' }],
    [
      Buffer.from("StreamTitle='Bj\u00f6rk - J\u00f3ga';", 'latin1'),
      { artist: 'Bj\u00f6rk', title: 'J\u00f3ga' },
    ],
    ["StreamTitle='two\nlines\x1b[31m';", { title: 'two lines [31m' }],
  ])('is read from %j', (text, title) => expect(told(text)).toEqual(title));

  it('is cut when it is very long', () => {
    expect(told(`StreamTitle='${'x'.repeat(4000)}';`)?.title?.length).toBe(512);
  });
});

describe('metadata in the audio', () => {
  it('is taken out wherever the bytes are split, and told where it lies', () => {
    const part = fc.record({
      metadata: fc.constantFrom('', "StreamTitle='a';", "StreamTitle='b - c';"),
      cut: fc.nat(40),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.array(part, { maxLength: 8 }),
        fc.infiniteStream(fc.nat(25)),
        (interval, parts, cuts) => {
          let count = 0;
          const audio = () => {
            count += interval;
            return Buffer.from(Array.from({ length: interval }, (_, at) => (count - at) % 256));
          };
          const bytes = Buffer.concat(parts.flatMap((one) => [audio(), metadata(one.metadata)]));
          const sent = parts.flatMap((_, at) =>
            Array.from({ length: interval }, (_, index) => ((at + 1) * interval - index) % 256),
          );
          const heard: number[] = [];
          const titles: number[] = [];
          const splitter = new IcySplitter(interval, () => titles.push(heard.length));
          for (let at = 0; at < bytes.length; ) {
            const size = cuts.next().value as number;
            for (const piece of splitter.split(bytes.subarray(at, at + size))) heard.push(...piece);
            at += size;
          }
          expect(heard).toEqual(sent);
          const expected = parts.flatMap((one, at) => (one.metadata ? [(at + 1) * interval] : []));
          expect(titles).toEqual(expected);
        },
      ),
    );
  });
});
