import { isShowable } from '../base/foreign-text.ts';
import { ClipError } from './clip-error.ts';

/** Files of the library itself beside a clip have longer names, and no system takes more than 255. */
const maxNameBytes = 200;

/**
 * The name of a clip as it is kept: that of a file, in the normal form C of Unicode.
 *
 * Failure: throws a `ClipError` that says what is wrong with it.
 */
export function clipName(text: string): string {
  const name = text.normalize('NFC');
  const fault = faultOf(name);
  if (fault) throw new ClipError('bad-name', `this is no name for a clip: ${fault}`);
  return name;
}

/** Whether the library shows a file of this name. */
export function isClipName(text: string): boolean {
  return faultOf(text.normalize('NFC')) === undefined;
}

function faultOf(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (/[/\\]/.test(name)) return 'it is a path';
  if (name.startsWith('.')) return 'it begins with a dot';
  if (name !== name.trim()) return 'it begins or ends with a blank';
  if (!isShowable(name)) return 'it has characters that cannot be shown';
  if (Buffer.byteLength(name) > maxNameBytes) return `it is longer than ${maxNameBytes} bytes`;
  return undefined;
}
