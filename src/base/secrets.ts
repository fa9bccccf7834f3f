/** Stands for what is not shown in the log. */
export const mask = '***';
/** The same in addresses that controllers are told. Source: protocol reference, 8.1. */
export const addressMask = 'xxx';

/** Anywhere in a name, or at its end; an `author` is none, nor is a `keyboard`. */
const secretParts =
  /pass(?:word|wd|phrase|code)|secret|token|credential|auth(?!or(?!iz))|cookie|bearer|(?:psk|pwd|key)$/;
const otherKeys = /(?:don|hot|mon|tur)key$/;
const secretWords: ReadonlySet<string> = new Set([
  'creds',
  'jwt',
  'key',
  'keys',
  'otp',
  'pass',
  'pin',
  'pincode',
  'pw',
  'sig',
  'signature',
  'userpass',
  'username',
  'userpw',
]);

/** Whether a parameter of this name holds what must not be shown: `token`, `api-key`, `authKey`. */
export function isSecretName(name: string): boolean {
  const letters = name.toLowerCase().replace(/[^a-z]+/g, '');
  if (secretParts.test(letters) && !otherKeys.test(letters)) return true;
  const words = name.split(/[^a-zA-Z]+|(?<=[a-z])(?=[A-Z])/);
  return words.some((word) => secretWords.has(word.toLowerCase()));
}

// Names begin at a boundary, and what repeats has a limit, so that long texts cost little.
const code = '(?:2[de]|3[0-9]|[4-7][0-9a-f])';
const name = String.raw`(?<![\w.-])(?!(?<=%)${code})((?:[\w.-]|%${code}){1,1000})`;
const quoted = String.raw`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'`;
const word = String.raw`[^\s&"']+(?:'[^\s&"',;]+)*`;

/** A name, what stands between it and its value, the value. */
const pairs: readonly RegExp[] = [
  // Of JSON, which may itself stand in quotes.
  String.raw`(?<=["'])([\w.-]{1,1000})(\\{0,3}["']\s{0,9}:\s{0,9})(\\{1,3}"[^"\\]*\\{1,3}"|${quoted}|[^\s"'&;,{}[\]]+)`,
  // Headers of HTTP; a sentence may have a colon behind any word, but not behind these.
  String.raw`(?<![\w.-])((?:[\w.]{1,100}-)[\w.-]{1,1000}|authorization|cookie|(?<=["'])[\w.]{1,1000})(:\s{0,9}(?:(?:basic|bearer|digest|token)\s{1,9})?)([^\s"'][^"'\r\n]*)`,
  String.raw`${name}((?:\[\w{0,64}\])?\s{0,9}(?:=|%3d)\s{0,9})(${quoted}|${word})`,
  String.raw`(?<![\w.-])(--?[\w.-]{1,1000})(\s+|%20|:)(${quoted}|(?!-)${word})`,
].map((pair) => new RegExp(pair, 'gi'));

/** Texts that are secrets without a name of their own: all but what the first group has. */
const others: readonly RegExp[] = [
  /(:\/\/)[^\s/"'?#&]{1,2000}(?=@)/g,
  // A token of librespot; other programs have no values as long for it.
  /((?<![\w.-])-k(?:\s+|=|%20)["']?)[\w.~+/=-]{32,}/g,
  /((?<![\w./:@-])[\w.-]{1,64}:)[^\s/"'@]{1,200}(?=@[\w[])/g,
  /(\b(?:bearer|basic)(?:\s+|%20))[\w.~+/=-]{16,}/gi,
  /((?<![\w.-])(?:-u|--(?:proxy-)?user)(?:\s+|=|%20)["']?[^\s:"']{1,200}:)[^\s"']+/g,
];

/**
 * A text without the secrets that look like such: user information of addresses, headers that log
 * a user in, and values of parameters, options and members of JSON whose name says so.
 */
export function withoutSecrets(text: string, shown = mask): string {
  const hide = (whole: string, key: string, separator: string) =>
    isSecretName(decoded(key)) ? `${key}${separator}${shown}` : whole;
  const named = pairs.reduce((rest, pair) => rest.replace(pair, hide), text);
  return others.reduce((rest, other) => rest.replace(other, `$1${shown}`), named);
}

function decoded(key: string): string {
  return key.replace(/%([\da-f]{2})/gi, (_, code) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
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
