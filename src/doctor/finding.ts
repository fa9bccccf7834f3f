import { messageOf } from '../base/errors.ts';

/** `fault`: something will not work. `warning`: it works, but not as a user would expect. */
export type Level = 'ok' | 'note' | 'warning' | 'fault';

/** One thing that was looked at. */
export interface Finding {
  readonly level: Level;
  /** One sentence: what is so. */
  readonly text: string;
  /** One sentence: how to fix it. */
  readonly mend?: string;
}

/** One group of things to look at. It changes nothing, and knows nothing of the others. */
export interface Check {
  readonly name: string;
  /** Longest time that it may take; absent: the usual one. */
  readonly timeoutMs?: number;
  /** Failure: whatever is thrown becomes a finding. */
  run(): Promise<readonly Finding[]> | readonly Finding[];
}

export function ok(text: string): Finding {
  return { level: 'ok', text };
}

export function note(text: string, mend?: string): Finding {
  return { level: 'note', text, ...(mend !== undefined && { mend }) };
}

export function warning(text: string, mend: string): Finding {
  return { level: 'warning', text, mend };
}

export function fault(text: string, mend: string): Finding {
  return { level: 'fault', text, mend };
}

/**
 * The fault that a part of the server tells by an error. Its messages end with the remedy, behind
 * `allowed: ` or the last colon; `usualMend` is for those that name none.
 */
export function faultOf(error: unknown, usualMend: string): Finding {
  const message = messageOf(error).trim();
  const [text, allowed] = cutAt(message, message.search(/[;:] allowed: /), '; allowed: '.length);
  if (allowed) return fault(text, `allowed: ${allowed}`);
  const [what, mend] = cutAt(message, message.lastIndexOf(': '), 2);
  return mend ? fault(what, mend) : fault(message, usualMend);
}

function cutAt(text: string, index: number, separatorLength: number): [string, string] {
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + separatorLength)];
}
