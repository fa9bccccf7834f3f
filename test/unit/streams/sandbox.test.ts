import { pbkdf2 } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RpcError, SourceError } from '../../../src/base/errors.ts';
import { allowedProgram, allowedScript } from '../../../src/streams/sandbox.ts';
import { makeFifoAt, scratchFolder } from '../../support/fifo.ts';

let folder: ReturnType<typeof scratchFolder>;
/** The folder of what is allowed, and one beside it whose name begins alike. */
let inside: string;
let outside: string;

beforeEach(() => {
  folder = scratchFolder();
  inside = join(folder.path, 'inside');
  outside = join(folder.path, 'inside-not');
  for (const path of [inside, outside, join(inside, 'sub')]) mkdirSync(path);
});

afterEach(() => folder.remove());

function program(path: string): string {
  writeFileSync(path, '#!/bin/sh\n');
  chmodSync(path, 0o755);
  return path;
}

function link(target: string, path: string): string {
  symlinkSync(target, path);
  return path;
}

async function faultOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (result) => `allowed: ${result}`,
    (error: unknown) => error,
  );
}

describe('a control script of a controller', () => {
  const find = (script: string) => allowedScript({ script, pluginDir: inside, isTrusted: false });

  async function expectRefused(script: string, text: string): Promise<void> {
    const fault = await faultOf(find(script));
    expect(fault).toBeInstanceOf(RpcError);
    expect(fault).toMatchObject({ rpcCode: -32602, message: 'Invalid params' });
    expect(fault).toMatchObject({ data: expect.stringContaining(text) });
  }

  it('is looked for in the folder of plugins, and below', async () => {
    const script = program(join(inside, 'control.py'));
    const deeper = program(join(inside, 'sub', 'other.py'));
    expect(await find('control.py')).toBe(script);
    expect(await find('./sub/../control.py')).toBe(script);
    expect(await find(script)).toBe(script);
    expect(await find('sub/other.py')).toBe(deeper);
  });

  it('is known by the place that its links lead to', async () => {
    const script = program(join(inside, 'sub', 'real.py'));
    link('sub/real.py', join(inside, 'alias.py'));
    expect(await find('alias.py')).toBe(script);
    const other = link(inside, join(folder.path, 'plugins'));
    const request = { script: 'alias.py', pluginDir: other, isTrusted: false };
    expect(await allowedScript(request)).toBe(script);
  });

  it('may not lie elsewhere, by whatever way it is named', async () => {
    const secret = program(join(outside, 'control.py'));
    link(secret, join(inside, 'file-link.py'));
    link(outside, join(inside, 'folder-link'));
    for (const script of [
      secret,
      '/bin/sh',
      '../inside-not/control.py',
      'sub/../../inside-not/control.py',
      'file-link.py',
      'folder-link/control.py',
      '..',
      '.',
    ]) {
      await expectRefused(script, `Control script must be located in '${inside}'`);
    }
  });

  it('does not tell what there is elsewhere', async () => {
    program(join(outside, 'there'));
    const [there, missing] = await Promise.all(
      ['there', 'missing'].map((name) => faultOf(find(`../inside-not/${name}`))),
    );
    expect(there).toEqual(missing);
  });

  it('must exist and be a regular file', async () => {
    makeFifoAt(join(inside, 'fifo'));
    link('nowhere', join(inside, 'dangling'));
    await expectRefused('missing.py', 'does not exist');
    await expectRefused('dangling', 'does not exist');
    await expectRefused('sub', 'is no regular file');
    await expectRefused('fifo', 'is no regular file');
  });

  it('is refused when the folder of plugins does not exist', async () => {
    const pluginDir = join(folder.path, 'missing');
    const request = { pluginDir, isTrusted: false };
    for (const script of ['control.py', '../inside/x', '/bin/sh']) {
      expect(await faultOf(allowedScript({ ...request, script }))).toBeInstanceOf(RpcError);
    }
  });
});

describe('a control script of the configuration', () => {
  it('that goes away while it is looked for is refused as one that is not there', async () => {
    const script = program(join(outside, 'control.py'));
    const request = { script, pluginDir: inside, isTrusted: true };
    const fault = faultOf(allowedScript(request));
    const isResolved = realpath(script);
    // What is asked of the file system next has to wait for these.
    const busy = Array.from({ length: 8 }, () =>
      promisify(pbkdf2)('x', 'salt', 60_000, 32, 'sha512'),
    );
    await isResolved;
    await new Promise(setImmediate);
    rmSync(script);
    expect(await fault).toMatchObject({ data: expect.stringContaining('is no regular file') });
    expect(await fault).toBeInstanceOf(RpcError);
    await Promise.all(busy);
  });

  it('may lie anywhere, but must be there', async () => {
    const elsewhere = program(join(outside, 'control.py'));
    const find = (script: string) => allowedScript({ script, pluginDir: inside, isTrusted: true });
    expect(await find(elsewhere)).toBe(elsewhere);
    expect(await find('../inside-not/control.py')).toBe(elsewhere);
    expect(await faultOf(find(join(outside, 'missing')))).toBeInstanceOf(RpcError);
    expect(await faultOf(find(outside))).toBeInstanceOf(RpcError);
  });
});

describe('a program of a controller', () => {
  const check = (path: string) => allowedProgram(path, inside);

  async function expectRefused(path: string, text: string): Promise<void> {
    const fault = await faultOf(check(path));
    expect(fault).toBeInstanceOf(SourceError);
    expect(fault).toMatchObject({ message: expect.stringContaining(text) });
  }

  it('may lie in the sandbox and below, links followed', async () => {
    const path = program(join(inside, 'sub', 'player'));
    expect(await check(path)).toBe(path);
    // Where it really lies: the link may lead elsewhere by the time at which it is started again.
    expect(await check(link('sub/player', join(inside, 'alias')))).toBe(path);
    expect(await check(`${inside}/sub/../sub/player`)).toBe(path);
  });

  it('may not lie elsewhere, by whatever way it is named', async () => {
    const secret = program(join(outside, 'player'));
    const text = `Process stream executable must be located in '${inside}'`;
    for (const path of [
      secret,
      '/bin/sh',
      '',
      '/',
      `${inside}/../inside-not/player`,
      `${inside}/../../../../../../../bin/sh`,
      link(secret, join(inside, 'link')),
      join(link(outside, join(inside, 'folder')), 'player'),
      inside,
      `${inside}/missing/../../inside-not/none`,
    ]) {
      await expectRefused(path, text);
    }
  });

  it('is never one of the same name that PATH has', async () => {
    await expectRefused(join(inside, 'sh'), 'does not exist');
    const notExecutable = join(inside, 'cat');
    writeFileSync(notExecutable, '');
    await expectRefused(notExecutable, 'may not be executed');
    mkdirSync(join(inside, 'ls'));
    await expectRefused(join(inside, 'ls'), basename('ls'));
    await expectRefused('/sh', 'must be located in');
    await expectRefused('/nowhere/sh', 'must be located in');
  });
});
