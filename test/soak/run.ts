// scripts/soak calls this after it has built the server.
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describeEnvironment, type Environment, readEnvironment } from '../bench/environment.ts';
import { parseOptions, type SoakOptions, usage } from './options.ts';
import { buildPlayers, type PlayerCounts } from './players.ts';
import { eventTable, growthTable } from './report.ts';
import { type Look, type SoakResult, soak } from './soak.ts';

const mib = 2 ** 20;

function showProgress(look: Look, players: PlayerCounts = {}): void {
  const { seconds, rssBytes, descriptors, sessions } = look;
  const { gaps = 0, mismatches = 0, joins = 0 } = players;
  process.stderr.write(
    `${seconds.toFixed(0)} s: ${(rssBytes / mib).toFixed(1)} MiB, ${descriptors} descriptors, ` +
      `${sessions} sessions, ${joins} joins, ${gaps} gaps, ${mismatches} wrong chunks\n`,
  );
}

interface Report {
  readonly environment: Environment;
  readonly options: SoakOptions;
  readonly result: SoakResult;
}

function print({ environment, options, result }: Report): void {
  const { samples, growths, events, problems } = result;
  const { players, minutes, warmUpShare } = options;
  console.log(`\n## soak\n\n${describeEnvironment(environment, 'loopback')}.`);
  console.log(
    `${minutes} minutes, ${players} players. Growth: slope by Theil and Sen times the time after ` +
      `the first ${warmUpShare * 100} %.\n`,
  );
  if (growths) console.log(`${growthTable(samples, growths)}\n`);
  console.log(`${eventTable(events)}\n`);
  console.log(problems.length === 0 ? 'All held.' : 'Not all held:');
  for (const problem of problems) console.log(`- ${problem}`);
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options.wantsHelp) {
    console.log(usage);
    return;
  }
  if (!existsSync(options.server))
    throw new Error(`no server at ${options.server}: build it first`);
  const environment = readEnvironment();
  const workDir = await mkdtemp(join(tmpdir(), 'zerocast-soak-'));
  try {
    const program = await buildPlayers(workDir);
    const server = resolve(options.server);
    const setup = { program, options: { ...options, server }, workDir, progress: showProgress };
    const result = await soak(setup);
    print({ environment, options, result });
    if (options.json) {
      await writeFile(
        options.json,
        `${JSON.stringify({ environment, options, ...result }, null, 2)}\n`,
      );
    }
    if (result.problems.length > 0) process.exitCode = 1;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
