import { computed, type Signal, signal } from '@preact/signals';
import { remember, remembered } from './own-memory.ts';

const themes = ['auto', 'light', 'dark'] as const;
const languages = ['en', 'de'] as const;
const curves = ['quadratic', 'decibel', 'linear'] as const;
/** Clients that are offline are folded away in each room, or shown. */
const offlines = ['folded', 'shown'] as const;
const motions = ['auto', 'still'] as const;

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

const theme = kept('theme', themes, 'auto');
export const language = kept('language', languages, spoken);
export const curve = kept('curve', curves, 'quadratic');
export const offline = kept('offline', offlines, 'folded');
const motion = kept('motion', motions, 'auto');
export const settings = { theme, language, curve, offline, motion };
export const choices = {
  theme: themes,
  language: languages,
  curve: curves,
  offline: offlines,
  motion: motions,
} as const;

/** Nothing is to move by itself. */
export const isStill = computed(() => motion.value === 'still' || prefersStill.value);
const stillness = matchMedia('(prefers-reduced-motion: reduce)');
const prefersStill = signal(stillness.matches);
stillness.addEventListener('change', () => {
  prefersStill.value = stillness.matches;
});
isStill.subscribe((value) => {
  document.documentElement.classList.toggle('still', value);
});

theme.subscribe((value) => {
  document.documentElement.style.colorScheme = value === 'auto' ? 'light dark' : value;
});
