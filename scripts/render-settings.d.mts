import type { Row } from '../src/config/schema.ts';
import type { wrapText } from '../src/config/wrap-text.ts';

export function configFileText(rows: readonly Row[], wrap: typeof wrapText): string;
export function settingsTable(rows: readonly Row[]): string;
export function insertSettingsTable(text: string, rows: readonly Row[]): string;
