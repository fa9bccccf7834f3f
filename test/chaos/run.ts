// scripts/chaos calls this after it has built the server.
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BrokenInvariant, Chaos } from './chaos.ts';
import { raiseLoopback } from './network.ts';
import { type ChaosOptions, parseOptions, usage } from './options.ts';
import { describeStep, planOf } from './plan.ts';
import { World } from './world.ts';

const script = fileURLToPath(import.meta.url);
/** All that is started dies with the run; nothing of it is seen from outside. */
const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
const shownLogLines = 60;

function printPlan(options: ChaosOptions, length: number): void {
  const plan = planOf(options);
  for (let step = 0; step < length; step += 1) console.log(describeStep(plan.next().value));
}

/** Runs this once more, in namespaces of its own. Resolves with the exit status. */
async function runInside(options: ChaosOptions, args: readonly string[]): Promise<number> {
  if (process.geteuid?.() !== 0) throw new Error('it needs root, for namespaces of its own');
  if (!existsSync(options.main)) throw new Error(`no server at ${options.main}: build it first`);
  const work = await mkdtemp(join(tmpdir(), 'zerocast-chaos-'));
  await chmod(work, 0o755); // controllers have files in it played
  try {
    const seed = ['--seed', String(options.seed)];
    const command = [
      process.execPath,
      ...process.execArgv,
      script,
      ...args,
      ...seed,
      '--inside',
      work,
    ];
    const child = spawn('unshare', [...namespaces, ...command], { stdio: 'inherit' });
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => child.kill('SIGKILL'));
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (exitCode) => resolve(exitCode ?? 2));
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function runHere(options: ChaosOptions, workDir: string): Promise<number> {
  const { seed } = options;
  const again = commandOf(options);
  console.log(again);
  raiseLoopback();
  const world = new World({ ...options, main: resolve(options.main) });
  let chaos: Chaos | undefined;
  try {
    await world.assemble(workDir);
    if (options.logFile) world.server.log.copyTo(createWriteStream(options.logFile));
    chaos = new Chaos(world, console.log);
    await chaos.run();
    console.log(`ok: seed ${seed}, ${chaos.steps} steps, ${chaos.quietPoints.length} quiet points`);
    return 0;
  } catch (error) {
    console.error(failureText(error, { again, chaos, world }));
    return error instanceof BrokenInvariant ? 1 : 2;
  } finally {
    await world.tearDown();
  }
}

/** What does the same once more. */
function commandOf(run: ChaosOptions): string {
  const { seed, seconds, players, quietSeconds, bufferMs, flacLibrary, ...options } = run;
  const { isZeroCopy, hasAddon, reloads } = options;
  const optional = [
    isZeroCopy && '--zerocopy',
    !hasAddon && '--no-addon',
    !reloads && '--no-reload',
  ];
  const flags = optional.filter(Boolean);
  const numbers = { seed, seconds, players, 'quiet-seconds': quietSeconds, buffer: bufferMs };
  const words = Object.entries({ ...numbers, flac: flacLibrary }).map(
    ([name, value]) => `--${name} ${value}`,
  );
  return ['scripts/chaos', ...words, ...flags].join(' ');
}

function failureText(
  error: unknown,
  { again, chaos, world }: { again: string; chaos: Chaos | undefined; world: World },
): string {
  const stack = error instanceof Error ? error.stack : error;
  const reason = error instanceof BrokenInvariant ? error.message : stack;
  return [
    `broken at step ${chaos?.steps ?? 0}: ${reason}`,
    world.starvation?.describe() ?? '',
    '',
    'the last steps:',
    ...(chaos?.recent ?? []),
    '',
    'the end of the log of the server:',
    ...(world.server?.log.lines.slice(-shownLogLines) ?? []),
    '',
    `again: ${again}`,
  ].join('\n');
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.needsHelp) console.log(usage);
  else if (options.planLength !== undefined) printPlan(options, options.planLength);
  else if (options.workDir === undefined) return runInside(options, args);
  else return runHere(options, options.workDir);
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
// The players behind the bad network and the like must not keep a finished run alive.
if (process.argv.includes('--inside')) process.exit();
