import { expect, it } from 'vitest';
import { de } from '../../../src/web/text/de.ts';
import { en } from '../../../src/web/text/en.ts';
import { moreDe } from '../../../src/web/text/more-de.ts';
import { moreEn } from '../../../src/web/text/more-en.ts';
import { syncDe } from '../../../src/web/text/sync-de.ts';
import { syncEn } from '../../../src/web/text/sync-en.ts';

/** Where texts stand, what they are made of, and what they say of two examples. */
function shapeOf(texts: object, path = ''): readonly string[] {
  return Object.entries(texts).flatMap(([key, value]) => {
    const own = path === '' ? key : `${path}.${key}`;
    if (typeof value === 'object') return shapeOf(value, own);
    return [typeof value === 'function' ? `${own}(${value.length})` : own];
  });
}

it('each language says all', () => {
  expect(shapeOf(de)).toEqual(shapeOf(en));
  expect(shapeOf(moreDe)).toEqual(shapeOf(moreEn));
  expect(shapeOf(syncDe)).toEqual(shapeOf(syncEn));
});

it('no text is empty, and none leaves out what it is about', () => {
  const look = (texts: object): void => {
    for (const value of Object.values(texts)) {
      if (typeof value === 'object') look(value);
      else if (typeof value === 'string') expect(value.trim()).not.toBe('');
      else expect(value('7', false)).toContain('7');
    }
  };
  for (const texts of [en, de, moreEn, moreDe, syncEn, syncDe]) look(texts);
});
