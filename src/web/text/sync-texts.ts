import { signal } from '@preact/signals';
import { language } from '../settings.ts';
import { type SyncTexts, syncEn } from './sync-en.ts';

/** What the place Sync says, in the language of its user. */
export const syncTexts = signal<SyncTexts>(syncEn);

language.subscribe((code) => void use(code));

async function use(code: string): Promise<void> {
  syncTexts.value = code === 'de' ? (await import('./sync-de.ts')).syncDe : syncEn;
}
