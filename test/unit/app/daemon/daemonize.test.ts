import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OutputLog } from '../../../support/output-log.ts';
import { buildPlainModule, type PlainModule } from '../../../support/plain-module.ts';
import { isRoot, makeScratchFolder, removeScratchFolder } from '../../../support/scratch-folder.ts';
import { until } from '../../../support/waiting.ts';

const nobody = 65_534;
let module: PlainModule;
let folder: string;
let note: string;

beforeAll(() => {
  module = buildPlainModule('src/app/daemon/daemonize.ts');
  chmodSync(module.folder, 0o755);
});

afterAll(() => module.remove());

beforeEach(() => {
  folder = makeScratchFolder();
  chmodSync(folder, 0o777);
  note = join(folder, 'note');
});

afterEach(() => removeScratchFolder(folder));

interface Run {
  /** What the program does in the background, where it knows `parent` and `tell`. */
  readonly background: string;
  readonly priority?: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly uid?: number;
}

/** A program that goes into the background, in the foreground. */
function start({ background, priority = 0, environment = {}, uid }: Run) {
  const program = join(folder, 'program.mjs');
  writeFileSync(
    program,
    `import { existsSync, readlinkSync, renameSync, writeFileSync } from 'node:fs';
    import { getPriority } from 'node:os';
    import { daemonParent, startDaemon } from ${JSON.stringify(module.path)};
    const parent = daemonParent();
    const tell = (facts) => {
      writeFileSync('${note}.new', JSON.stringify({ pid: process.pid, ...facts }));
      renameSync('${note}.new', '${note}');
    };
    if (parent) { ${background} }
    else process.exit(await startDaemon({ priority: ${priority}, stderr: process.stderr }));`,
  );
  const child = spawn(process.execPath, [program], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
    ...(uid !== undefined && { uid, gid: uid }),
  });
  const log = new OutputLog('the program', child);
  const ended = once(child, 'close').then(([status]: unknown[]) => ({ status, text: log.text }));
  return { child, log, ended };
}

/** Goes on until the folder of the test is gone, also where the test has failed. */
const untilTheEnd = `setInterval(() => existsSync(process.argv[1]) || process.exit(), 50);`;

const told = () => JSON.parse(readFileSync(note, 'utf8')) as Record<string, unknown>;

describe('the foreground of a server in the background', () => {
  it('ends well when that is ready, and only then', async () => {
    const background = `
      tell({});
      ${untilTheEnd}
      parent.ready();
      tell({ stderr: readlinkSync('/proc/self/fd/2') });`;
    const { child, ended } = start({ background });
    expect(await ended).toEqual({ status: 0, text: '' });
    await until(() => told().stderr !== undefined);
    expect(told().stderr).toBe('/dev/null');
    expect(told().pid).not.toBe(child.pid);
  });

  it.each([
    ['with a status of its own', 'process.exitCode = 3;', 3, ''],
    ['without one', '', 1, ''],
    ['though it has said something else', "process.send('hello'); process.exitCode = 4;", 4, ''],
    [
      'and complains',
      "parent.complain('no room'); process.exitCode = 1;",
      1,
      'zerocast: no room\n',
    ],
    [
      'by a signal',
      "process.kill(process.pid, 'SIGKILL');",
      1,
      'zerocast: the server was ended by SIGKILL before it was ready\n',
    ],
  ])('fails when that ends %s', async (_, background, status, text) => {
    expect(await start({ background }).ended).toEqual({ status, text });
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('hands on %s meanwhile', async (signal) => {
    const background = `
      process.on('${signal}', () => process.exit(5));
      tell({});
      ${untilTheEnd}`;
    const { child, ended } = start({ background });
    await until(() => existsSync(note));
    child.kill(signal);
    expect(await ended).toEqual({ status: 5, text: '' });
  });

  it('is a foreground also where a foreign mark says otherwise', async () => {
    const environment = { ZEROCAST_SERVICE_CHILD: '1' };
    const { child, ended } = start({ background: 'tell({}); parent.ready();', environment });
    expect(await ended).toEqual({ status: 0, text: '' });
    expect(told().pid).not.toBe(child.pid);
  });
});

describe('a server in the background', () => {
  const background = `
    tell({ priority: getPriority(), mark: process.env.ZEROCAST_SERVICE_CHILD ?? 'gone' });
    parent.ready();`;

  it('keeps to itself that it is one, and stays as nice as it was', async () => {
    await start({ background }).ended;
    expect(told()).toMatchObject({ priority: getPriority(), mark: 'gone' });
  });

  it('is as nice as it is told to be', async () => {
    await start({ background, priority: 19 }).ended;
    expect(told().priority).toBe(19);
  });

  it.skipIf(!isRoot)('runs also where it may not be less nice, which is told', async () => {
    const { status, text } = await start({ background, priority: -5, uid: nobody }).ended;
    expect(status).toBe(0);
    expect(text).toMatch(
      /^zerocast: the nice value -5 is not set, the server goes on without it: .*EACCES.*; values below 0 are for root\n$/,
    );
    expect(told().priority).toBe(getPriority());
  });
});
