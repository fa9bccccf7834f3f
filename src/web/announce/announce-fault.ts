/** Parts of the form that a fault may be shown at. */
export type FormField =
  | 'sound'
  | 'targets'
  | 'volume'
  | 'duck_db'
  | 'gain_db'
  | 'repeat'
  | 'pre'
  | 'priority'
  | 'loudness';

/** What the server refused, and at which field it is shown; without one beside the button. */
export interface FormFault {
  readonly field: FormField | undefined;
  readonly text: string;
}

const ofSound = ['url', 'file', 'chime', 'text', 'max_seconds'];
const named: readonly FormField[] = [
  ...(['targets', 'volume', 'duck_db', 'gain_db', 'repeat', 'pre', 'priority'] as const),
  'loudness',
];
const targetCodes = ['unknown-target', 'ambiguous-target', 'nobody-listens'];
const soundCodes = [
  ...['unknown-clip', 'bad-clip', 'clip-too-long', 'clip-too-large', 'decoder-missing'],
  ...['no-speech', 'speech-failed', 'fetch-failed', 'bad-name'],
];

/** The field that the text of a fault names, by its parameter or by its code. */
export function fieldOfFault(fault: string): FormField | undefined {
  const parameter = /^(?:bad-parameter: )?Parameter '([a-z_]+)/.exec(fault)?.[1];
  if (parameter !== undefined) {
    if (ofSound.includes(parameter)) return 'sound';
    if (parameter === 'duck') return 'duck_db';
    return named.find((name) => name === parameter);
  }
  const code = /^([a-z-]+): /.exec(fault)?.[1] ?? '';
  if (targetCodes.includes(code)) return 'targets';
  return soundCodes.includes(code) ? 'sound' : undefined;
}

/** What people need not read: the code in front. */
export function shownFault(fault: string): string {
  const text = fault.replace(/^(?:[a-z]+(?:-[a-z]+)+|busy|closing|exists): /, '');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
