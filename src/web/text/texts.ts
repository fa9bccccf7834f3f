import { type ReadonlySignal, signal } from '@preact/signals';
import { language } from '../settings.ts';
import { en, type Texts } from './en.ts';

/** Texts in the language of the user: English at once, others as soon as they are loaded. */
export function translated<T>(english: T, german: () => Promise<T>): ReadonlySignal<T> {
  const shown = signal(english);
  language.subscribe(async (code) => {
    try {
      const texts = code === 'de' ? await german() : english;
      // Another language may have been chosen meanwhile.
      if (language.peek() === code) shown.value = texts;
    } catch {
      // The server is away: what is shown stays as it is.
    }
  });
  return shown;
}

/** What the page says. */
export const texts = translated<Texts>(en, async () => (await import('./de.ts')).de);

language.subscribe((code) => {
  document.documentElement.lang = code;
});

export function listOf(names: readonly string[]): string {
  return new Intl.ListFormat(language.value, { type: 'conjunction' }).format(names);
}
