import { signal } from '@preact/signals';

/** Clients of which all is shown. */
export const expanded = signal<ReadonlySet<string>>(new Set());
/** Groups whose offline clients are shown. */
export const unfolded = signal<ReadonlySet<string>>(new Set());
/** Clients that are deleted as soon as that can no longer be undone. */
export const hidden = signal<ReadonlySet<string>>(new Set());

/** The same with `value`, or without it where it is in there. */
export function toggled(set: ReadonlySet<string>, value: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(value)) next.add(value);
  return next;
}
