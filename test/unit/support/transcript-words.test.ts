import { describe, expect, it } from 'vitest';
import { parseTranscript } from '../../support/transcript-text.ts';
import { TranscriptWords } from '../../support/transcript-words.ts';

const id = '01234567-89ab-cdef-0123-456789abcdef';
const other = id.replace('0', 'f');
let words: TranscriptWords;

function isFit(expected: string, received: string): boolean {
  return words.fit(expected, received) === received;
}

describe('a word of a transcript', () => {
  it('takes its meaning where it is met first, and keeps it', () => {
    words = new TranscriptWords(new Map());
    expect(isFit('{"id":"<group A>"}', `{"id":"${other}"}`)).toBe(true);
    expect(words.filled('<group A>')).toBe(other);
    expect(isFit('{"id":"<group A>"}', `{"id":"${id}"}`)).toBe(false);
    expect(isFit('{"id":"<group B>"}', `{"id":"${id}"}`)).toBe(true);
  });

  it('means the same twice in one line', () => {
    words = new TranscriptWords(new Map());
    expect(isFit('<group><group>', `${id}${other}`)).toBe(false);
    expect(isFit('<group><group>', `${id}${id}`)).toBe(true);
  });

  it('takes no meaning from what does not fit', () => {
    words = new TranscriptWords(new Map());
    expect(words.fit('[<usec>,<sec>]', '[7,8]')).toBe('[<usec>,<sec>]');
    expect(isFit('[<usec>]', '[9]')).toBe(true);
  });

  it.each([
    ['<group>', id.toUpperCase()],
    ['<sec>', '0'],
    ['<usec>', '1000000'],
    ['<usec>', '07'],
    ['<version>', '0.25.9'],
    ['"<text>"', '""'],
    ['"<text>"', '"a","b"'],
    ['<rate>', '48000'],
    ['a.c', 'abc'],
    ['[]', '[] '],
  ])('%s is not just anything: not %s', (expected, received) => {
    words = new TranscriptWords(new Map());
    expect(isFit(expected, received)).toBe(false);
  });

  it('may be defined by others', () => {
    words = new TranscriptWords(new Map([['A', '{"id":"<group>"}']]));
    expect(isFit('[<A>]', `[{"id":"${id}"}]`)).toBe(true);
    expect(words.filled('<A>')).toBe(`{"id":"${id}"}`);
  });
});

describe('the text of a transcript', () => {
  it('is cut into what happens and what follows', () => {
    const text =
      '# a\nserver x.y=z\nover TCP\n\n<b c> = {\n  }\n> 1\n>> 2\n< 3\n  4\n! p does 5\n** 6\n= 7\n';
    const { settings, over, definitions, steps } = parseTranscript('t.txt', text);
    expect({ settings, over }).toEqual({ settings: ['x.y=z'], over: ['TCP'] });
    expect([...definitions]).toEqual([['b c', '{}']]);
    const shown = steps.map(({ acts, outcome }) =>
      [acts, outcome].map((lines) => lines.map(({ mark, text }) => `${mark} ${text}`)),
    );
    expect(shown).toEqual([
      [['> 1', '>> 2'], ['< 34']],
      [['! p does 5'], ['** 6', '= 7']],
    ]);
  });

  it('has no line that is passed over', () => {
    expect(() => parseTranscript('t.txt', '> 1\n<2\n')).toThrow('t.txt:2 is no line');
  });
});
