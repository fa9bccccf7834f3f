import { type SyncTexts, syncEn } from './sync-en.ts';
import { translated } from './texts.ts';

/** What the place Sync says, loaded with it. */
export const syncTexts = translated<SyncTexts>(
  syncEn,
  async () => (await import('./sync-de.ts')).syncDe,
);
