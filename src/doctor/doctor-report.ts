import { packageVersion } from '../base/version.ts';
import type { Finding, Level } from './finding.ts';
import type { CheckResult } from './run-checks.ts';

const marks: Readonly<Record<Level, string>> = {
  ok: 'ok',
  note: 'note',
  warning: 'warning',
  fault: 'FAULT',
};
const markWidth = 8;
/** Codes of ECMA-48, "Select Graphic Rendition". */
const colours: Readonly<Record<Level, number>> = { ok: 32, note: 36, warning: 33, fault: 31 };

export function totalsOf(results: readonly CheckResult[]): {
  readonly faults: number;
  readonly warnings: number;
} {
  const levels = results.flatMap(({ findings }) => findings.map(({ level }) => level));
  const count = (wanted: Level) => levels.filter((level) => level === wanted).length;
  return { faults: count('fault'), warnings: count('warning') };
}

/** One check for a terminal: a heading, a line per finding, and below it how to fix it. */
export function checkText({ name, findings }: CheckResult, isColoured: boolean): string {
  const heading = isColoured ? `\u001b[1m${name}\u001b[0m` : name;
  return `${heading}\n${findings.map((finding) => findingText(finding, isColoured)).join('')}`;
}

function findingText({ level, text, mend }: Finding, isColoured: boolean): string {
  const mark = marks[level].padEnd(markWidth);
  const shown = isColoured ? `\u001b[${colours[level]}m${mark}\u001b[0m` : mark;
  const remedy = mend === undefined ? '' : `  ${' '.repeat(markWidth)}  ${mend}\n`;
  return `  ${shown}${text}\n${remedy}`;
}

/** The last line. */
export function totalsText(results: readonly CheckResult[]): string {
  const { faults, warnings } = totalsOf(results);
  return `\n${counted(faults, 'fault')}, ${counted(warnings, 'warning')}\n`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** Everything as one JSON document. */
export function reportJson(results: readonly CheckResult[]): string {
  const report = {
    zerocast: packageVersion,
    node: process.version,
    ...totalsOf(results),
    checks: results.map(({ name, findings }) => ({ name, findings })),
  };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}
