import { type Signal, signal } from '@preact/signals';

const themes = ['auto', 'light', 'dark'] as const;
const languages = ['en', 'de'] as const;
const curves = ['quadratic', 'linear'] as const;

/** A choice that this browser keeps. */
function kept<T extends string>(name: string, choices: readonly T[], usual: T): Signal<T> {
  const key = `zerocast.${name}`;
  const known = read(key);
  const setting = signal(choices.find((choice) => choice === known) ?? usual);
  setting.subscribe((value) => {
    if (value !== usual || read(key) !== null) write(key, value);
  });
  return setting;
}

/** A browser that keeps nothing, as in private windows, may throw. */
function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {}
}

const spoken = languages.find((code) => navigator.language.startsWith(code)) ?? 'en';

export const theme = kept('theme', themes, 'auto');
export const language = kept('language', languages, spoken);
export const curve = kept('curve', curves, 'quadratic');
export const choices = { themes, languages, curves };

theme.subscribe((value) => {
  document.documentElement.style.colorScheme = value === 'auto' ? 'light dark' : value;
});
