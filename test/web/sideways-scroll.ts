import type { Page } from 'playwright-core';

/** By how much the page is wider than it is seen. */
export function sidewaysScroll(page: Page): Promise<number> {
  return page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
}
