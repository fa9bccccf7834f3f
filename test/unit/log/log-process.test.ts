import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildLogPrograms, type LogProgramFolder } from '../../support/log-program.ts';

let folder: LogProgramFolder;
beforeAll(() => {
  folder = buildLogPrograms();
});
afterAll(() => folder.remove());

async function run(name: string, body: string, command = '') {
  const file = folder.program(name, body);
  const shell = command || 'exec "$NODE" "$PROGRAM"';
  const environment = { ...process.env, NODE: process.execPath, PROGRAM: file };
  const child = spawn('sh', ['-c', shell], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, status] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.on('exit', resolve)),
  ]);
  return { lines: stdout.split('\n').slice(0, -1), stderr, status };
}

const options = "format: 'text', filter: ['*:info']";
const manyLines = "for (let i = 0; i < 1000; i++) logger.info('x', { i });";

function numbersIn(lines: readonly string[]): readonly number[] {
  return lines.map((line) => Number(/ i=(\d+)$/.exec(line)?.[1]));
}
const upTo1000 = Array.from({ length: 1000 }, (_, index) => index);

describe('a process that logs', () => {
  it('loses nothing when it exits at once', async () => {
    const body = `const { logger } = new Log({ sink: 'stdout', ${options} });
      ${manyLines} process.exit(3);`;
    const { lines, status } = await run('exit.js', body);
    expect(status).toBe(3);
    expect(numbersIn(lines)).toEqual(upTo1000);
  });

  it('loses nothing when it dies of an exception', async () => {
    const file = join(folder.path, 'thrown.log');
    const body = `const { logger } = new Log({ sink: 'file:${file}', ${options} });
      ${manyLines} throw new Error('a fault');`;
    const { status, stderr } = await run('throw.js', body);
    expect(status).toBe(1);
    expect(stderr).toContain('a fault');
    expect(numbersIn(readFileSync(file, 'utf8').split('\n').slice(0, -1))).toEqual(upTo1000);
  });

  it('ends by itself, without closing its log', async () => {
    const body = `const { logger } = new Log({ sink: 'stdout', ${options} }); ${manyLines}`;
    const { lines, status } = await run('end.js', body);
    expect(status).toBe(0);
    expect(numbersIn(lines)).toEqual(upTo1000);
  });

  it('survives a reader that goes away', async () => {
    const body = `const log = new Log({ sink: 'stdout', ${options} }); const { logger } = log;
      logger.info('first');
      for (let i = 0; i < 20; i++) {
        logger.info('x'.repeat(20_000));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await log.close();
      process.stderr.write('still alive');`;
    const pipe = '"$NODE" "$PROGRAM" | head -n 1';
    const { lines, stderr } = await run('epipe.js', body, pipe);
    expect(lines).toEqual([expect.stringMatching(/first$/)]);
    expect(stderr).toBe('still alive');
  });

  it('goes on working while nobody reads, and says later how many lines are missing', async () => {
    const body = `const log = new Log({ sink: 'stdout', ${options} }); const { logger } = log;
      for (let i = 0; i < 300; i++) logger.info('y'.repeat(10_000));
      process.stderr.write('not held up\\n');
      await new Promise((resolve) => setTimeout(resolve, 700));
      logger.info('last');
      await log.close();`;
    const { lines, stderr } = await run('slow.js', body, '"$NODE" "$PROGRAM" | (sleep 0.4; cat)');
    expect(stderr).toBe('not held up\n');
    const [, missing] =
      /\[Warn\] \(Log\) log lines were dropped.* count=(\d+)$/.exec(lines.at(-2) ?? '') ?? [];
    expect(lines.at(-1)).toMatch(/last$/);
    expect(Number(missing)).toBeGreaterThan(0);
    expect(lines.length - 2 + Number(missing)).toBe(300);
  });

  it('loses nothing when it exits while its reader is slow', async () => {
    const body = `const { logger } = new Log({ sink: 'stdout', ${options} });
      for (let i = 0; i < 1000; i++) logger.info('y'.repeat(500), { i });
      setTimeout(() => process.exit(0), 100);`;
    const { lines } = await run('hurry.js', body, '"$NODE" "$PROGRAM" | (sleep 0.4; cat)');
    expect(numbersIn(lines)).toEqual(upTo1000);
  });

  it('ends although its reader has stopped', async () => {
    const body = `const log = new Log({ sink: 'stdout', ${options} }); const { logger } = log;
      for (let i = 0; i < 50; i++) logger.info('y'.repeat(10_000));
      await log.close();
      process.exitCode = 7;`;
    const stopped = '{ "$NODE" "$PROGRAM"; echo "status $?" >&2; kill $(cat "$PROGRAM.pid"); } |';
    const reader = 'sh -c \'echo $$ > "$PROGRAM.pid"; exec sleep 60\'';
    const { stderr } = await run('stuck.js', body, `${stopped} ${reader}`);
    expect(stderr).toMatch(/^status 7\n/);
  });

  it('says once that the disk is full, and still ends', async () => {
    const body = `const log = new Log({ sink: 'file:/dev/full', ${options} }); const { logger } = log;
      logger.info('x');
      await new Promise((resolve) => setTimeout(resolve, 50));
      logger.info('x');
      await new Promise((resolve) => setTimeout(resolve, 50));
      logger.fatal('x');
      await log.close();`;
    const { stderr, status } = await run('full.js', body);
    expect(status).toBe(0);
    expect(stderr).toMatch(/^zerocast: log lines are lost: ENOSPC[^\n]*\n$/);
  });

  it.each([
    ['is missing', '/nowhere/logger', /ENOENT/],
    ['fails', '/bin/false', /ended with status 1/],
  ])('falls back to stderr when the program "logger" %s', async (_, command, reason) => {
    const body = `const log = new Log({
        sink: 'system', systemCommand: '${command}', ${options} }); const { logger } = log;
      logger.info('early');
      await new Promise((resolve) => setTimeout(resolve, 300));
      logger.info('late');
      await log.close();`;
    const { stderr, status } = await run('system.js', body);
    const [notice, ...lines] = stderr.trimEnd().split('\n');
    expect(status).toBe(0);
    expect(notice).toMatch(/^zerocast: the system log cannot be used, stderr is used instead: /);
    expect(notice).toMatch(reason);
    expect(lines).toEqual([
      expect.stringMatching(/^\S+ \S+ \[Info\] .*early$/),
      expect.stringMatching(/^\S+ \S+ \[Info\] .*late$/),
    ]);
  });

  /** A program in the place of "logger". */
  function systemProgram(name: string, script: string): string {
    const command = join(folder.path, name);
    writeFileSync(command, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return command;
  }

  it('survives a program "logger" that has closed its input, and says what comes after it', async () => {
    const command = systemProgram(
      'deaf-logger',
      `exec <&-; until [ -e ${folder.path}/enough ]; do sleep 0.05; done; exit 3`,
    );
    const body = `import { writeFileSync } from 'node:fs';
      const log = new Log({
        sink: 'system', systemCommand: '${command}', ${options} });
      const { logger } = log;
      for (let i = 0; i < 100; i++) {
        logger.info('x', { i });
        if (i === 50) writeFileSync('${folder.path}/enough', '');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await log.close();`;
    const { stderr, status } = await run('deaf.js', body);
    const [notice, ...lines] = stderr.trimEnd().split('\n');
    expect(status).toBe(0);
    expect(notice).toMatch(/instead: .*deaf-logger ended with status 3$/);
    expect(numbersIn(lines).at(-1)).toBe(99);
  });

  it('is not kept alive by the system log', async () => {
    const command = systemProgram('patient-logger', 'exec cat > /dev/null');
    const body = `const { logger } = new Log({
        sink: 'system', systemCommand: '${command}', ${options} });
      logger.info('x');
      const beganAtMs = performance.now();
      process.on('exit', () => console.log(performance.now() - beganAtMs));`;
    const { stderr, status, lines } = await run('unref.js', body);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    // The program is watched for a second, but not waited for.
    expect(Number(lines[0])).toBeLessThan(1000);
  });
});
