import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scratchFolder } from '../support/fifo.ts';
import { assertBuilt, mainFile } from '../support/server-process.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const leakyServer = join(root, 'test', 'soak', 'leaky-server.mjs');

interface Run {
  readonly status: number;
  readonly output: string;
}

interface Report {
  readonly problems: readonly string[];
  readonly samples: readonly Record<string, number>[];
  readonly growths: Readonly<Record<string, { readonly verdict: string }>>;
  readonly events: Readonly<Record<string, number>>;
}

/** The buffers are full after ten seconds. Growth of memory says little in so short a time and may be large. */
function soakShortly(server: string, json: string): Promise<Run> {
  const options = ['--minutes', '0.4', '--players', '20', '--changes', '300', '--patient'];
  const looks = ['--sample-seconds', '1', '--warm-up', '0.5', '--rss-bound', '64'];
  const command = [
    '--import',
    'tsx',
    'test/soak/run.ts',
    ...options,
    ...looks,
    '--server',
    server,
    '--json',
    json,
  ];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: root }, (error, stdout, stderr) => {
      const status = error ? Number(error.code ?? -1) : 0;
      resolve({ status, output: `${stdout}\n${stderr}` });
    });
  });
}

describe('a short soak', () => {
  const folder = scratchFolder();
  const reportOf = (name: string) =>
    JSON.parse(readFileSync(join(folder.path, name), 'utf8')) as Report;
  let healthy: Run;
  let leaky: Run;

  beforeAll(async () => {
    assertBuilt();
    [healthy, leaky] = await Promise.all([
      soakShortly(mainFile, join(folder.path, 'healthy.json')),
      soakShortly(leakyServer, join(folder.path, 'leaky.json')),
    ]);
  });
  afterAll(() => folder.remove());

  it('finds nothing wrong with the server, and shows what it has seen', () => {
    expect(healthy.output).toContain('All held.');
    expect(healthy.status).toBe(0);
    expect(healthy.output).toMatch(/\| resident memory +\|.*\| level +\|/);
    const { problems, samples, growths, events } = reportOf('healthy.json');
    expect(problems).toEqual([]);
    expect(samples.length).toBeGreaterThan(5);
    expect(growths.spareDescriptors?.verdict).toBe('level');
    for (const name of ['chunks', 'joins', 'requests', 'streamsAdded', 'streamsRemoved']) {
      expect(events[name], name).toBeGreaterThan(0);
    }
    const { resets = 0, ends = 0, replaced = 0, rejoins = 0 } = events;
    expect(resets + ends + replaced + rejoins).toBeGreaterThan(10);
  });

  it('finds a descriptor that every connection leaves behind', () => {
    expect(leaky.status).toBe(1);
    expect(leaky.output).toContain('Not all held:');
    const { problems, growths } = reportOf('leaky.json');
    expect(growths.spareDescriptors?.verdict).toBe('grows');
    expect(problems).toContainEqual(expect.stringMatching(/^\d+ descriptors are left, not \d+$/));
  });
});
