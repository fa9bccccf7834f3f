/** What a word in angle brackets stands for where it is met first, by its first part. */
const kinds: Readonly<Record<string, string>> = {
  group: '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}',
  sec: '1\\d{9}',
  usec: '0|[1-9]\\d{0,5}',
  // Home Assistant asks for 0.26 or later.
  version: '0\\.(?:2[6-9]|[3-9]\\d)\\.\\d+',
  image: '[0-9a-f]+\\.png',
  hex: '(?:[0-9a-f]{2})+',
  rest: '(?:[^"\\\\]|\\\\.)*',
  unsaid: '(?:(?!"hasPermission").)*',
  // Methods that snapserver does not have, in its list.
  ours: '(?:(?!"method":"(?:Client|General|Group|Server|Stream)\\.).)*',
  text: '(?:[^"\\\\]|\\\\.)+',
};

const wordPattern = /<(\w+(?: \w+)?)>/g;

/**
 * The words of a transcript: those that were defined, and those that took their meaning from what
 * was received. A word that is neither defined nor of a known kind stands for itself.
 */
export class TranscriptWords {
  readonly #meanings: Map<string, string>;

  constructor(definitions: ReadonlyMap<string, string>) {
    this.#meanings = new Map(definitions);
  }

  define(name: string, meaning: string): void {
    this.#meanings.set(name, meaning);
  }

  /** The text with all words replaced that have a meaning by now. */
  filled(text: string): string {
    return text.replace(wordPattern, (word, name: string) => {
      const meaning = this.#meanings.get(name);
      return meaning === undefined ? word : this.filled(meaning);
    });
  }

  fits(expected: string, received: string): boolean {
    return patternOf(this.filled(expected)).test(received);
  }

  /**
   * What `received` should have been: the same when it fits `expected`, of which the words that
   * have no meaning yet get one.
   */
  fit(expected: string, received: string): string {
    const filled = this.filled(expected);
    const found = patternOf(filled).exec(received);
    if (!found) return filled;
    for (const [index, name] of newNames(filled).entries()) {
      this.#meanings.set(name, found[index + 1] ?? '');
    }
    return received;
  }
}

function isOpen(name: string): boolean {
  return kindOf(name) !== undefined;
}

function kindOf(name: string): string | undefined {
  return kinds[name.split(' ')[0] ?? ''];
}

/** The words without a meaning, each once. */
function newNames(text: string): string[] {
  const names = [...text.matchAll(wordPattern)].map(([, name = '']) => name);
  return [...new Set(names.filter(isOpen))];
}

function patternOf(text: string): RegExp {
  const names = newNames(text);
  const met = new Set<string>();
  const source = text
    .split(/(<\w+(?: \w+)?>)/)
    .map((part) => {
      const name = part.slice(1, -1);
      if (!names.includes(name) || !part.startsWith('<')) return escaped(part);
      if (met.has(name)) return `(?:\\${names.indexOf(name) + 1})`;
      met.add(name);
      return `(${kindOf(name)})`;
    })
    .join('');
  return new RegExp(`^${source}$`, 's');
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
