import { cutText } from '../../base/foreign-text.ts';
import type { SeverityName } from '../../base/logger.ts';

/** Longer texts of a control script are cut. */
const maxTextCharacters = 1000;

/** By the words of existing scripts. Source: protocol reference, 16.1 and 16.3. */
const severities: ReadonlyMap<string, SeverityName> = new Map([
  ['trace', 'trace'],
  ['debug', 'debug'],
  ['info', 'info'],
  ['notice', 'notice'],
  ['warn', 'warn'],
  ['warning', 'warn'],
  ['error', 'error'],
  ['fatal', 'fatal'],
  ['critical', 'fatal'],
]);
const severityWord = new RegExp(`\\b(${[...severities.keys()].join('|')})\\b`, 'i');

/** The severity that a control script names; `info` for an unknown name. */
export function severityNamed(name: unknown): SeverityName {
  return (typeof name === 'string' && severities.get(name.toLowerCase())) || 'info';
}

/** Guesses the severity of a line on the standard error from the first word that names one. */
export function guessSeverity(line: string): SeverityName {
  return severityNamed(severityWord.exec(line)?.[1]);
}

/** Bounds what a text of a control script takes in the log and in answers. */
export function cut(text: string): string {
  return text.length <= maxTextCharacters ? text : `${cutText(text, maxTextCharacters)}…`;
}
