import type { SeverityName } from '../base/logger.ts';
import { severityNames } from './severity.ts';

/** The least severity that is logged per tag; `*` stands for every tag that is not named. */
export type LevelOfTag = ReadonlyMap<string, SeverityName>;

/**
 * Reads a comma list of `<tag>:<level>`; later entries for one tag win, and a level alone holds for
 * every tag.
 *
 * Failure: returns `undefined` when an entry has no level.
 * Source: protocol reference, section 18.
 */
export function parseLogFilter(text: string):
  | {
      readonly levels: LevelOfTag;
      /** Level names that mean nothing; `info` was taken instead. */
      readonly unknownLevels: readonly string[];
    }
  | undefined {
  const levels = new Map<string, SeverityName>();
  const unknownLevels: string[] = [];
  for (const entry of text.split(',')) {
    const [, tag, level] = /^(?:(.*):)?([^:]+)$/.exec(entry.trim()) ?? [];
    if (!level) return undefined;
    const known = severityOf(level.trim().toLowerCase());
    if (!known) unknownLevels.push(level.trim());
    levels.set(tag?.trim() || '*', known ?? 'info');
  }
  return { levels, unknownLevels };
}

function severityOf(name: string): SeverityName | undefined {
  return name === 'warning' ? 'warn' : severityNames.find((known) => known === name);
}

/** The least severity for `tag`; `undefined` when nothing of it is to be logged. */
export function levelFor(tag: string, levels: LevelOfTag): SeverityName | undefined {
  return levels.get(tag) ?? levels.get('*');
}
