import { signal } from '@preact/signals';
import { language } from '../settings.ts';
import { type MoreTexts, moreEn } from './more-en.ts';

/** What the place More says, in the language of its user. */
export const moreTexts = signal<MoreTexts>(moreEn);

language.subscribe((code) => void use(code));

async function use(code: string): Promise<void> {
  moreTexts.value = code === 'de' ? (await import('./more-de.ts')).moreDe : moreEn;
}
