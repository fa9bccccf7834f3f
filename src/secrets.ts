/** Stands for what is not shown in the log. */
export const mask = '***';
/** The same in addresses that controllers are told. Source: protocol reference, 8.1. */
export const addressMask = 'xxx';

const secretParts = /pass(?:word|wd|phrase)|secret|token|credential|api[_-]?key/i;
const secretWords: ReadonlySet<string> = new Set([
  'auth',
  'authorization',
  'bearer',
  'cookie',
  'jwt',
  'key',
  'pass',
  'pin',
  'pw',
  'pwd',
  'sig',
  'signature',
  'username',
]);

/** Whether a parameter of this name holds what nobody else may know: `token`, `api-key`, `authKey`. */
export function isSecretName(name: string): boolean {
  const words = name.split(/[^a-zA-Z0-9]+|(?<=[a-z])(?=[A-Z])/);
  return secretParts.test(name) || words.some((word) => secretWords.has(word.toLowerCase()));
}

// Names begin at a boundary and have a limit, so that long texts without any cost little.
const userInfo = /(:\/\/)[^\s/"'?#&]{1,2000}@/g;
const named = /(?<![\w.-])([\w.-]{1,64})(=|%3d)("[^"]*"|'[^']*'|[^\s&"';,]+)/gi;
const optional = /(?<![\w.-])(--?[\w.-]{1,64})(\s+|%20)("[^"]*"|'[^']*'|[^\s&"';,-][^\s&"';,]*)/gi;
const scheme = /\b(bearer|basic)(\s+|%20)[\w.~+/=-]{16,}/gi;

/**
 * A text without the secrets that look like such: user information of addresses, and values of
 * parameters and options whose name says so.
 */
export function withoutSecrets(text: string, shown = mask): string {
  const hide = (whole: string, name: string, separator: string) =>
    isSecretName(name) ? `${name}${separator}${shown}` : whole;
  return text
    .replace(userInfo, `$1${shown}@`)
    .replace(scheme, `$1$2${shown}`)
    .replace(named, hide)
    .replace(optional, hide);
}

/** The value of a parameter of an address, as others may see it. */
export function shownParameter(name: string, value: string, shown = addressMask): string {
  if (name === 'name') return value;
  return isSecretName(name) && value !== '' ? shown : withoutSecrets(value, shown);
}

/** Whether the value is what `shownParameter` makes of a secret, so that the secret itself is lost. */
export function isMasked(name: string, value: string): boolean {
  return (
    value.includes(addressMask) &&
    shownParameter(name, value) === value &&
    shownParameter(name, value, mask) !== value
  );
}
