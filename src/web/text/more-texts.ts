import { type MoreTexts, moreEn } from './more-en.ts';
import { translated } from './texts.ts';

/** What the place More says, loaded with it. */
export const moreTexts = translated<MoreTexts>(
  moreEn,
  async () => (await import('./more-de.ts')).moreDe,
);
