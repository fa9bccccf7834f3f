import { computed, signal } from '@preact/signals';

export const places = ['rooms', 'streams', 'sync', 'announce', 'more'] as const;
export type PageName = (typeof places)[number];

const hash = signal(location.hash);
globalThis.addEventListener('hashchange', () => {
  hash.value = location.hash;
});

/** Where the page is, and what follows `?` there: `#/rooms?view=compact`. */
export const route = computed(() => {
  const [path = '', query = ''] = hash.value.replace(/^#\/?/, '').split('?');
  return {
    place: places.find((place) => place === path) ?? 'rooms',
    query: new URLSearchParams(query),
  };
});
