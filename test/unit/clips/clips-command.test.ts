import { chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadNativeAddon } from '../../../src/base/native/native-addon.ts';
import { type ClipsRequest, runClipsCommand } from '../../../src/clips/clips-command.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { wavFile } from '../../support/pcm-fixtures.ts';
import { isRoot, makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';

const bell = wavFile(Buffer.alloc(4800 * 4));
const owner = 65_534;

let root: string;
let folder: string;
let output: string;
let faults: string;
beforeEach(() => {
  root = makeScratchFolder();
  mkdirSync(join(root, 'data'));
  folder = join(root, 'data', 'clips');
});
afterEach(() => removeScratchFolder(root));

const files = () => readdirSync(folder).filter((name) => !name.endsWith('.clip'));

function file(name: string, bytes: Uint8Array = bell): string {
  const path = join(root, name);
  writeFileSync(path, bytes);
  return path;
}

/** Runs it on the folder; `onFault` sees what goes to the terminal. */
function run(
  request: ClipsRequest,
  {
    isTerminal = false,
    abort = new AbortController(),
    onFault = () => {},
  }: {
    readonly isTerminal?: boolean;
    readonly abort?: AbortController;
    readonly onFault?: () => void;
  } = {},
): Promise<number> {
  output = '';
  faults = '';
  return runClipsCommand(request, {
    config: loadConfig({ searchPaths: [], overrides: [] }).config,
    dataFolder: join(root, 'data'),
    native: loadNativeAddon(),
    output: {
      write: (text) => (output += text),
      writeFault: (text) => {
        faults += text;
        onFault();
      },
      isTerminal,
    },
    signal: abort.signal,
  });
}

const add = (...names: string[]): ClipsRequest => ({ action: 'add', files: names, replace: false });

describe('zerocast clips', () => {
  it('adds files under their names, and says what they are', async () => {
    expect(await run(add(file('bell.wav'), file('gong.wav')))).toBe(0);
    expect(output).toBe(
      `bell.wav: 0.0 MiB, 0.1 s, silent, in ${folder}\n` +
        `gong.wav: 0.0 MiB, 0.1 s, silent, in ${folder}\n`,
    );
    expect(faults).toBe('');
    expect(readFileSync(join(folder, 'bell.wav')).equals(bell)).toBe(true);
  });

  it('adds one under another name, and replaces only when it is told to', async () => {
    const request = { action: 'add', files: [file('a.wav')], name: 'door.wav' } as const;
    expect(await run({ ...request, replace: false })).toBe(0);
    expect(await run({ ...request, replace: false })).toBe(1);
    expect(faults).toBe(
      'zerocast clips: ' +
        `${join(root, 'a.wav')}: there is a clip "door.wav" already: --replace puts this one in its place\n`,
    );
    expect(await run({ ...request, replace: true })).toBe(0);
    expect(files()).toEqual(['door.wav']);
  });

  it('lists all clips, also those that nobody has looked at', async () => {
    mkdirSync(folder);
    writeFileSync(join(folder, 'a.wav'), bell);
    writeFileSync(join(folder, 'page.wav'), '<!DOCTYPE html><title>No</title>');
    expect(await run({ action: 'list', json: false })).toBe(0);
    expect(output).toMatch(
      /^a\.wav {5}0\.0 MiB, 0\.1 s, silent\npage\.wav {2}0\.0 MiB, cannot be played: .*a web page.*\n$/,
    );
    expect(await run({ action: 'list', json: true })).toBe(0);
    expect(JSON.parse(output)).toMatchObject([
      { name: 'a.wav', duration: 0.1, rate: 48_000, channels: 2 },
      { name: 'page.wav', fault: expect.stringContaining('bad-clip') },
    ]);
  });

  it('lists nothing where there is no folder, and makes none', async () => {
    expect(await run({ action: 'list', json: false })).toBe(0);
    expect([output, faults]).toEqual(['', '']);
    expect(readdirSync(join(root, 'data'))).toEqual([]);
  });

  it('does what it can when one of several cannot be done', async () => {
    expect(
      await run(add(join(root, 'no.wav'), file('no.txt', Buffer.from('#!/bin/sh')), file('b.wav'))),
    ).toBe(1);
    expect(faults).toMatch(/no\.wav: the file cannot be read: ENOENT\n.*no\.txt: .*\n$/);
    expect(files()).toEqual(['b.wav']);
    expect(await run({ action: 'remove', names: ['no.wav', 'b.wav', '../data'] })).toBe(1);
    expect(output).toBe('b.wav was removed\n');
    expect(faults).toMatch(
      /no\.wav: there is no clip "no\.wav"\n.*\.\.\/data: this is no name .*\n$/,
    );
    expect(files()).toEqual([]);
  });

  it('shows progress in a terminal, and takes it away again', async () => {
    const path = file('long.wav', wavFile(Buffer.alloc(3 * 1024 * 1024)));
    expect(await run(add(path), { isTerminal: true })).toBe(0);
    const [before, first = '', ...rest] = faults.split('\r\x1B[K');
    expect(before).toBe('');
    expect(first).toMatch(/^\[#+\.+\] \d+ % of long\.wav: 1\.0 of 3\.0 MiB, \d+ MiB\/s$/);
    expect(rest.at(-2)).toContain('100 % of long.wav: 3.0 of 3.0 MiB');
    expect(rest.at(-1)).toBe('');
    expect(output).toMatch(/^long\.wav: 3\.0 MiB, /);
  });

  it('leaves nothing when it is cancelled', async () => {
    const paths = [file('long.wav', wavFile(Buffer.alloc(3 * 1024 * 1024))), file('bell.wav')];
    const abort = new AbortController();
    const onFault = () => abort.abort();
    expect(await run(add(...paths), { isTerminal: true, abort, onFault })).toBe(1);
    expect(faults).toMatch(/zerocast clips: \S+long\.wav: cancelled, nothing of it was kept\n$/);
    expect(output).toBe('');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('does nothing more when it was cancelled before', async () => {
    const abort = new AbortController();
    abort.abort();
    expect(await run({ action: 'remove', names: ['a.wav', 'b.wav'] }, { abort })).toBe(1);
    expect(faults).toBe('zerocast clips: a.wav: cancelled\n');
  });

  it('gives what root adds to the owner of the folder', async ({ skip }) => {
    if (!isRoot) return skip('only root can give files away');
    chownSync(join(root, 'data'), owner, owner);
    expect(await run(add(file('bell.wav')))).toBe(0);
    expect(statSync(folder).uid).toBe(owner);
    expect(statSync(join(folder, 'bell.wav'))).toMatchObject({ uid: owner, gid: owner });
  });
});
