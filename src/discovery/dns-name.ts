/**
 * A domain name as text, without the last dot: dots and backslashes inside of a label have a
 * backslash in front.
 */
export type DnsName = string;

/** Source: RFC 1035, 2.3.4. */
export const maxLabelBytes = 63;

export function labelOf(text: string): string {
  return text.replace(/[.\\]/g, '\\$&');
}

/** The name in the form in which names that mean the same are equal. */
export function nameKey(name: DnsName): string {
  return name.toLowerCase();
}

/** Each label with what follows it, the first being the name itself. */
export function suffixesOf(name: DnsName): { readonly label: string; readonly suffix: string }[] {
  const labels = name.match(/(?:\\.|[^.\\])+/gs) ?? [];
  return labels.map((label, index) => ({
    label: label.replace(/\\(.)/gs, '$1'),
    suffix: labels.slice(index).join('.'),
  }));
}

/** The bytes of a name without pointers. */
export function nameBytes(name: DnsName): Buffer {
  const labels = suffixesOf(name).map(({ label }) => lengthAndText(label));
  return Buffer.concat([...labels, Buffer.of(0)]);
}

/** Labels that are too long are cut, because their length has six bits. */
export function lengthAndText(label: string): Buffer {
  const text = Buffer.from(label).subarray(0, maxLabelBytes);
  return Buffer.concat([Buffer.of(text.length), text]);
}
