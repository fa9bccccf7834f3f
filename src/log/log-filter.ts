import type { SeverityName } from '../logger.ts';
import { severityNames } from './severity.ts';

/** The least severity that is logged per tag; `*` stands for every tag that is not named. */
export type LevelOfTag = ReadonlyMap<string, SeverityName>;

export interface LogFilter {
  readonly levels: LevelOfTag;
  /** Level names that mean nothing; `info` was taken instead. */
  readonly unknownLevels: readonly string[];
}

/**
 * Reads a comma list of `<tag>:<level>`; later entries for one tag win.
 *
 * Failure: returns `undefined` when an entry has no tag or no level.
 * Source: protocol reference, section 18.
 */
export function parseLogFilter(text: string): LogFilter | undefined {
  const levels = new Map<string, SeverityName>();
  const unknownLevels: string[] = [];
  for (const entry of text.split(',')) {
    const [, tag, level] = /^(.+):([^:]+)$/.exec(entry.trim()) ?? [];
    if (!tag || !level) return undefined;
    const known = severityNames.find((name) => name === level.trim().toLowerCase());
    if (!known) unknownLevels.push(level.trim());
    levels.set(tag.trim(), known ?? 'info');
  }
  return { levels, unknownLevels };
}

/** The least severity for `tag`; `undefined` when nothing of it is to be logged. */
export function levelFor(tag: string, levels: LevelOfTag): SeverityName | undefined {
  return levels.get(tag) ?? levels.get('*');
}
