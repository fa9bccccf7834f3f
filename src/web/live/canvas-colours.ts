import { settings } from '../settings.ts';

/** What a style says a canvas is drawn with, in parts of red, green and blue. */
export function colourOf(element: Element, property: string): readonly [number, number, number] {
  const value = getComputedStyle(element).getPropertyValue(property);
  const [red = 0, green = 0, blue = 0] = (value.match(/[\d.]+/g) ?? []).map(Number);
  return [red, green, blue];
}

/** Light has become dark, or dark light; returns what ends it. */
export function whenRecoloured(listener: () => void): () => void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const unsubscribe = settings.theme.subscribe(listener);
  system.addEventListener('change', listener);
  return () => {
    unsubscribe();
    system.removeEventListener('change', listener);
  };
}
