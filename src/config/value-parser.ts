import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { maxChannels, maxRateHz, SampleFormat } from '../audio/sample-format.ts';
import { ZerocastError } from '../base/errors.ts';
import { parseLogFilter } from '../log/log-filter.ts';
import { severityNames } from '../log/severity.ts';

/** Reads the text of one kind of value. */
export interface ValueParser<Value> {
  /** Completes the sentence "allowed: …". */
  readonly allowed: string;
  /** The unit of the value; empty when it has none. */
  readonly unit: string;
  /** The value, or `undefined` when `text` is none; `warn` is told what was fixed. */
  parse(text: string, warn: (sentence: string) => void): Value | undefined;
}

const truthOf: ReadonlyMap<string, boolean> = new Map([
  ...['true', '1', 'yes', 'on'].map((word) => [word, true] as const),
  ...['false', '0', 'no', 'off'].map((word) => [word, false] as const),
]);

/** Where a web page came from. Source: RFC 6454, "ASCII Serialization of an Origin". */
export const origin: ValueParser<string> = {
  allowed: 'an origin such as http://mopidy:6680, or *',
  unit: '',
  parse: (text) => (text === '*' || isOrigin(text) ? text.toLowerCase() : undefined),
};

function isOrigin(text: string): boolean {
  return URL.canParse(text) && /^[a-z][a-z0-9+.-]*:\/\/[^/?#]+$/i.test(text);
}

export const truth: ValueParser<boolean> = {
  allowed: 'true or false (also 1/0, yes/no, on/off)',
  unit: '',
  parse: (text) => truthOf.get(text.toLowerCase()),
};

export function integer(range: {
  readonly min: number;
  readonly max: number;
  readonly unit?: string;
  /** Values below `min` become `min`, with a warning, instead of being refused. */
  readonly raise?: boolean;
}): ValueParser<number> {
  const { min, max, unit = '' } = range;
  return {
    allowed: `a whole number from ${min} to ${max}${unit && ` (${unit})`}`,
    unit,
    parse: (text, warn) => {
      const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
      if (range.raise && value < min) {
        warn(`${value} is too small: ${min} is used`);
        return min;
      }
      return value >= min && value <= max ? value : undefined;
    },
  };
}

export function autoOr(numbers: ValueParser<number>): ValueParser<'auto' | number> {
  return {
    allowed: `auto or ${numbers.allowed}`,
    unit: numbers.unit,
    parse: (text, warn) => (text.toLowerCase() === 'auto' ? 'auto' : numbers.parse(text, warn)),
  };
}

/** 0 lets the system choose a free port. */
export const port = integer({ min: 0, max: 65_535 });

export const anyText: ValueParser<string> = {
  allowed: 'any text',
  unit: '',
  parse: (text) => text,
};

export function someText(allowed: string, shape = /./): ValueParser<string> {
  return { allowed, unit: '', parse: (text) => (shape.test(text) ? text : undefined) };
}

export function oneOf<const Word extends string>(words: readonly Word[]): ValueParser<Word> {
  return {
    allowed: words.join(' or '),
    unit: '',
    parse: (text) => words.find((word) => word === text.toLowerCase()),
  };
}

export const address: ValueParser<string> = {
  allowed: 'an IP address or a host name, for example ::, 0.0.0.0 or 127.0.0.1',
  unit: '',
  parse: (text) => {
    const bare = text.replace(/^\[(.*)\]$/, '$1');
    // Digits and dots alone are a mistyped IPv4 address, never a name.
    const isName = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(bare) && !/^[\d.]+$/.test(bare);
    return isIP(bare) || isName ? bare : undefined;
  },
};

export const hostName: ValueParser<string> = {
  allowed: 'a host name, or <hostname> for the name of this machine',
  unit: '',
  parse: (text) => text.replaceAll('<hostname>', hostname()) || undefined,
};

export const sampleFormat: ValueParser<SampleFormat> = {
  allowed:
    `rate:bits:channels with a rate of 1 to ${maxRateHz} Hz, 8, 16, 24 or 32 bits ` +
    `and 1 to ${maxChannels} channels, for example 48000:16:2`,
  unit: '',
  parse: (text) => {
    try {
      return SampleFormat.parse(text);
    } catch (thrown) {
      if (thrown instanceof ZerocastError) return undefined;
      throw thrown;
    }
  },
};

export const logSink: ValueParser<string> = {
  allowed: 'stdout, stderr, system, null, file:<name>, or nothing for the usual one',
  unit: '',
  // What is usual depends on the log.
  parse: (text) => (/^(|stdout|stderr|system|null|file:.+)$/.test(text) ? text : undefined),
};

export const logFilter: ValueParser<string> = {
  allowed: `a level, or a comma list of <tag>:<level>, with the levels ${severityNames.join(', ')}`,
  unit: '',
  parse: (text, warn) => {
    const filter = parseLogFilter(text);
    if (!filter) return undefined;
    for (const level of filter.unknownLevels) {
      warn(`"${level}" is no level, info is used; known: ${severityNames.join(', ')}`);
    }
    return text;
  },
};
