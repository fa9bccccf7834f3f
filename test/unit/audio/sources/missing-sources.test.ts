import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { formatStreamUri, parseStreamUri } from '../../../../src/audio/stream-uri.ts';
import { quoteWord, splitCommandLine } from '../../../../src/base/children/command-line.ts';
import { readIniText } from '../../../../src/config/ini-text.ts';
import { Report } from '../../../../src/config/report.ts';
import { scratchFolder } from '../../../support/fifo.ts';
import { SourceHarness } from '../../../support/source-harness.ts';
import { until } from '../../../support/waiting.ts';

/** An address of upstream, what is advised instead, and what the advice says besides. */
const cases: readonly (readonly [string, string, RegExp?])[] = [
  [
    'alsa:///?name=Line',
    '/usr/bin/arecord?name=Line&sampleformat=48000:16:2&params=-q -t raw -D hw:0 -f S16_LE ' +
      '-r 48000 -c 2 -F 20000',
  ],
  [
    'alsa://?name=Line&device=plughw:CARD=X,DEV=0&sampleformat=96000:24:1&idle_threshold=5000',
    '/usr/bin/arecord?name=Line&sampleformat=96000:24:1&idle_threshold=5000&params=-q -t raw ' +
      '-D plughw:CARD=X,DEV=0 -f S24_LE -r 96000 -c 1 -F 20000',
  ],
];

function adviceFor(address: string): string {
  try {
    new SourceHarness(address);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`${address} was not refused`);
}

/** Whoever reads the advice takes what stands behind the equals sign, to the end of the line. */
function advisedFor(address: string): string {
  const [, advised] = /: write source = (process:\/\/\/.*)$/.exec(adviceFor(address)) ?? [];
  if (advised === undefined) throw new Error(`no address is advised: ${adviceFor(address)}`);
  return advised;
}

describe('the advice for a kind of stream that is missing', () => {
  it.for(cases)('keeps what the address says: %s', ([address, advised, besides = /yet/]) => {
    expect(advisedFor(address)).toBe(`process://${advised}`);
    expect(adviceFor(address)).toMatch(besides);
    expect(adviceFor(address)).toMatch(/^streams of type "\w+" are not supported yet[;:] /);
    expect(adviceFor(address)).not.toMatch(/topsecret|a&b|a%26b/);
  });

  it('survives names of any kind, in the configuration file too', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((it) => !it.includes('\0'));
    const schemes = fc.constantFrom('alsa');
    fc.assert(
      fc.property(schemes, text, text, (scheme, name, device) => {
        const query = { name, devicename: device, device, server_name: device, target: device };
        const address = formatStreamUri({ scheme, host: '', path: '', fragment: '', query });
        const given = parseStreamUri(address).query;
        const advised = advisedFor(address);
        const report = new Report();
        const [line] = readIniText(`[stream]\nsource = ${advised}\n`, 'file', report);
        const { query: kept } = parseStreamUri(line?.value ?? '');
        expect(kept.name).toBe(given.name);
        const words = splitCommandLine(kept.params ?? '');
        const shown = given.device;
        if (shown) expect(words.some((word) => word.endsWith(shown))).toBe(true);
      }),
    );
  });

  it('is one that the documents give, too', () => {
    const settings = new URL('../../../../docs/settings.md', import.meta.url);
    const text = readFileSync(settings, 'utf8');
    const pairs = [...text.matchAll(/^# .*?(\w+:\/\/\S+)\nsource = (process:.*)$/gm)];
    for (const [, address, advised] of pairs) expect(advisedFor(address!)).toBe(advised);
    const schemes = pairs.map(([, address]) => address!.split(':')[0]);
    expect(schemes).toEqual(['alsa']);
  });
});

describe('an advised address', () => {
  const folder = scratchFolder();
  const harnesses: SourceHarness[] = [];
  const path = process.env.PATH;

  afterEach(async () => {
    process.env.PATH = path;
    await Promise.all(harnesses.splice(0).map(({ source }) => source.stop()));
  });
  afterAll(() => folder.remove());

  /** Notes its arguments and plays. */
  function standIn(name: string, argumentsFile: string): void {
    const file = join(folder.path, name);
    const note = `printf '%s\\0' "$@" > '${argumentsFile}.new'; mv '${argumentsFile}.new' '${argumentsFile}'`;
    writeFileSync(file, `#!/bin/sh\n${note}\nexec cat /dev/zero\n`);
    chmodSync(file, 0o755);
  }

  it.for(cases)('starts its program with these arguments: %s', async ([address, advised]) => {
    const [, program = '', params = ''] =
      /^(?:\/[\w ]+)+\/([\w-]+)\?.*&params=(.*)$/.exec(advised) ?? [];
    const words = splitCommandLine(parseStreamUri(`process:///x?params=${params}`).query.params!);
    const behindEnv = words.indexOf('jack-stdout');
    const [name, expected] =
      program === 'env' ? ['jack-stdout', words.slice(behindEnv + 1)] : [program, words];
    const argumentsFile = join(folder.path, `arguments-of-${name}`);
    standIn(name, argumentsFile);
    process.env.PATH = `${folder.path}:${path}`;
    // Found in PATH, as the real one may be installed where the address says.
    const elsewhere = advisedFor(address).replace(
      /^process:\/\/\/(usr|opt)(?!\/bin\/env)/,
      'process:///absent',
    );
    const harness = new SourceHarness(elsewhere).start();
    harnesses.push(harness);
    await harness.read(4000);
    await until(() => readFileSync(argumentsFile, 'utf8').endsWith('\0'), 'it noted its arguments');
    expect(readFileSync(argumentsFile, 'utf8').split('\0').slice(0, -1)).toEqual(expected);
    expect(harness.source.format.toString()).toBe(/sampleformat=([\d:]+)/.exec(advised)?.[1]);
  });
});

describe('a quoted word', () => {
  it('is read back as it was', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (words) => {
        expect(splitCommandLine(words.map(quoteWord).join(' '))).toEqual(words);
      }),
    );
  });
});
