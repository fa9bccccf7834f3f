import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCommandLine } from '../../../src/app/cli.ts';
import { ConfigError } from '../../../src/base/errors.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { rows } from '../../../src/config/schema.ts';
import { parseProbeOptions } from '../../../src/probe/probe-options.ts';
import { loadText, withoutFile } from '../../support/config-text.ts';
import { hostileText, mutationsOf } from '../../support/hostile-values.ts';

const realFiles = ['current', 'nixos', 'old'].map((name) =>
  readFileSync(new URL(`../../support/conf/${name}.conf`, import.meta.url)),
);

/** Every fault is a sentence without control characters, however wild the input is. */
function loadsOrSaysWhy(load: () => unknown): void {
  try {
    load();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    const { faults } = error as ConfigError;
    expect(faults.length).toBeGreaterThan(0);
    for (const fault of faults) {
      expect(fault.length).toBeLessThan(2000);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they would steer the terminal.
      expect(fault).not.toMatch(/[\0-\x08\x0b-\x1f\x7f]/);
    }
  }
}

const settingName = fc.constantFrom(...rows.map(({ section, key }) => `${section}.${key}`));
const value = fc.oneof(
  hostileText,
  fc.constantFrom('true', 'auto', '1', '-1', '99999999999', '0x10', '1e3', ' 5 ', '::', '0.0.0.0'),
  fc.constantFrom('48000:16:2', 'pipe:///x?name=y', 'user:pw:role', '*:debug', 'file:/x', '"q"'),
);

describe('a configuration file', () => {
  it('of any bytes is taken or refused with reasons', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) =>
        loadsOrSaysWhy(() => loadText(bytes)),
      ),
      { numRuns: 500 },
    );
  });

  it('of real life with any damage is taken or refused with reasons', () => {
    fc.assert(
      fc.property(mutationsOf(realFiles), (bytes) => loadsOrSaysWhy(() => loadText(bytes))),
      { numRuns: 200 },
    );
  });

  it('with any setting of any value is taken or refused with reasons', () => {
    const line = fc.tuple(settingName, value).map(([name, text]) => {
      const [section, key] = name.split('.');
      return `[${section}]\n${key} = ${text}\n`;
    });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), (lines) =>
        loadsOrSaysWhy(() => loadText(lines.join(''))),
      ),
      { numRuns: 500 },
    );
  });
});

describe('an environment', () => {
  it('of any names and values is taken or refused with reasons', () => {
    const name = fc.oneof(
      settingName.map((dotted) => `ZEROCAST_${dotted.toUpperCase().replace(/[.-]/g, '_')}`),
      hostileText.map((text) => `ZEROCAST_${text}`),
      hostileText,
    );
    fc.assert(
      fc.property(fc.dictionary(name, value, { maxKeys: 6 }), (environment) =>
        loadsOrSaysWhy(() => loadConfig({ ...withoutFile, environment })),
      ),
      { numRuns: 400 },
    );
  });
});

describe('a command line', () => {
  const word = fc.oneof(
    fc.constantFrom('-d', '-d-3', '-c', '-h', '-hh', '-v', '-z', '-s', '--', '-', '--config', '-p'),
    fc.constantFrom('probe', 'doctor', 'token', 'hash-password', '--json', '--user', '--hours'),
    settingName.map((name) => `--${name}`),
    fc.tuple(settingName, value).map(([name, text]) => `--${name}=${text}`),
    fc.tuple(hostileText, hostileText).map(([name, text]) => `--${name}=${text}`),
    value,
  );

  it('of any words is a command or refused with reasons, and so are its settings', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (words) =>
        loadsOrSaysWhy(() => {
          const command = parseCommandLine(words);
          if (command.kind !== 'serve') return;
          loadConfig({ ...withoutFile, overrides: command.overrides });
        }),
      ),
      { numRuns: 1000 },
    );
  });

  it('of the probe is taken or refused with reasons', () => {
    const own = fc.constantFrom(
      '--seconds',
      '--out',
      '--id',
      '--port',
      '--host',
      '-o',
      'host:1704',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(own, value), { maxLength: 6 }), (words) =>
        loadsOrSaysWhy(() => parseProbeOptions(words)),
      ),
      { numRuns: 500 },
    );
  });
});
