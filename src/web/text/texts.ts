import { signal } from '@preact/signals';
import { language } from '../settings.ts';
import { en, type Texts } from './en.ts';

/** What the page says, in the language of its user. */
export const texts = signal<Texts>(en);

export function listOf(names: readonly string[]): string {
  return new Intl.ListFormat(language.value, { type: 'conjunction' }).format(names);
}

language.subscribe((code) => void use(code));

async function use(code: string): Promise<void> {
  texts.value = code === 'de' ? (await import('./de.ts')).de : en;
  document.documentElement.lang = code;
}
