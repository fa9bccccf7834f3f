import { type Signal, signal } from '@preact/signals';
import { remember, remembered } from './own-memory.ts';

const themes = ['auto', 'light', 'dark'] as const;
const languages = ['en', 'de'] as const;
const curves = ['quadratic', 'linear'] as const;

/** A choice that this browser keeps. */
function kept<T extends string>(name: string, choices: readonly T[], usual: T): Signal<T> {
  const known = remembered(name);
  const setting = signal(choices.find((choice) => choice === known) ?? usual);
  setting.subscribe((value) => {
    if (value !== usual || remembered(name) !== undefined) remember(name, value);
  });
  return setting;
}

const spoken = languages.find((code) => navigator.language.startsWith(code)) ?? 'en';

export const theme = kept('theme', themes, 'auto');
export const language = kept('language', languages, spoken);
export const curve = kept('curve', curves, 'quadratic');
export const choices = { themes, languages, curves };

theme.subscribe((value) => {
  document.documentElement.style.colorScheme = value === 'auto' ? 'light dark' : value;
});
