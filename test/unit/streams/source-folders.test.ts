import {
  chmodSync,
  closeSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFifoBehind, openFifoForReading } from '../../../src/audio/sources/fifo.ts';
import { maxMadeFifos, SourceFolders } from '../../../src/streams/source-folders.ts';
import { makeFifoAt, scratchFolder } from '../../support/fifo.ts';
import { until } from '../../support/waiting.ts';

let folder: ReturnType<typeof scratchFolder>;
/** What is allowed, what is not, and what is the server's own although it lies in what is allowed. */
let inside: string;
let outside: string;
let own: string;
let gate: SourceFolders;

beforeEach(() => {
  folder = scratchFolder();
  inside = join(folder.path, 'inside');
  outside = join(folder.path, 'inside-not');
  own = join(inside, 'data');
  for (const path of [inside, outside, own]) mkdirSync(path);
  gate = new SourceFolders(() => ({ folders: [inside], own: [own, join(inside, 'server.conf')] }));
});
afterEach(() => folder.remove());

function file(path: string, mode = 0o644): string {
  writeFileSync(path, 'text');
  chmodSync(path, mode);
  return path;
}

function opened(path: string, meanwhile: () => void = () => undefined): void {
  const descriptor = openSync(path, 'r');
  try {
    meanwhile();
    gate.checkOpen(path, descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes one path a folder, then a link, and so on. */
const swapWithoutEnd = `
  const { renameSync } = require('node:fs');
  const { way, plain, link } = require('node:worker_threads').workerData;
  for (;;) for (const one of [plain, link]) {
    renameSync(one, way);
    renameSync(way, one);
  }
`;

/** Whether the file that was opened lies elsewhere, and whether it was let through. */
function lookAt(path: string, secret: number): { isSecret: boolean; isLet: boolean } | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return undefined;
  }
  const isSecret = fstatSync(descriptor).ino === secret;
  try {
    gate.checkOpen(path, descriptor);
    return { isSecret, isLet: true };
  } catch {
    return { isSecret, isLet: false };
  } finally {
    closeSync(descriptor);
  }
}

function openFifo(path: string): string {
  const fifo = openFifoForReading(path, gate);
  if (fifo) closeSync(fifo.fd);
  return fifo ? 'opened' : 'no fifo';
}

describe('a path that a controller names', () => {
  it('may lie in a folder that is allowed, also when there is nothing yet', () => {
    gate.checkPath(file(join(inside, 'music')));
    gate.checkPath(join(inside, 'new', 'fifo'));
    symlinkSync(inside, join(folder.path, 'alias'));
    gate.checkPath(join(folder.path, 'alias', 'music'));
  });

  it.each([
    ['elsewhere', () => file(join(outside, 'secret'))],
    ['by dots', () => `${inside}/../inside-not/secret`],
    [
      'behind a link',
      () => {
        symlinkSync(outside, join(inside, 'link'));
        return join(inside, 'link', 'secret');
      },
    ],
    [
      'as a link',
      () => {
        symlinkSync('/etc/shadow', join(inside, 'music.wav'));
        return join(inside, 'music.wav');
      },
    ],
    ['as the folder itself', () => inside],
  ])('may not lie %s, and the refusal names the setting', (_where, make) => {
    expect(() => gate.checkPath(make())).toThrow(/source_dir in the section \[stream\]/);
  });

  it('is refused in the same words whether there is something or not', () => {
    const words = (path: string) => {
      try {
        gate.checkPath(path);
        return `${path} is let`;
      } catch (error) {
        return String(error);
      }
    };
    expect(words('/etc/shadow')).toBe(words('/etc/nothing-of-this-name'));
  });

  it.each(['data', 'data/streams.json', 'data/.server.json.0123456789abcdef.tmp', 'server.conf'])(
    'is never what belongs to the server: %s',
    (name) => {
      expect(() => gate.checkPath(join(inside, name))).toThrow('belongs to the system or to');
    },
  );

  it.each(['/proc/self/environ', '/sys/kernel', '/dev/null', '/dev/shm/x'])(
    'is never what belongs to the system, whatever is allowed: %s',
    (path) => {
      const all = new SourceFolders(() => ({ folders: ['/'], own: [] }));
      expect(() => all.checkPath(path)).toThrow('belongs to the system or to');
    },
  );
});

describe('what was opened', () => {
  it('is allowed when it is what the path names', () => {
    opened(file(join(inside, 'music')));
  });

  it('is refused when it lies elsewhere, although the path looks right by now', () => {
    const path = join(inside, 'music');
    symlinkSync(file(join(outside, 'secret')), path);
    const replace = () => {
      rmSync(path);
      file(path);
    };
    expect(() => opened(path, replace)).toThrow('source_dir');
  });

  it('is refused when something else has its name by now', () => {
    const path = file(join(inside, 'music'));
    const replace = () => {
      rmSync(path);
      file(path);
    };
    expect(() => opened(path, replace)).toThrow('it was replaced');
  });

  it('is refused when it lies elsewhere, whatever the links do between two looks', async () => {
    const [way, plain, link] = ['way', 'plain', 'link'].map((name) => join(inside, name));
    mkdirSync(plain!);
    file(join(plain!, 'music'));
    file(join(outside, 'music'));
    symlinkSync(outside, link!);
    const swapping = new Worker(swapWithoutEnd, { eval: true, workerData: { way, plain, link } });
    const secret = statSync(join(outside, 'music')).ino;
    const count = { let: 0, refused: 0 };
    try {
      await until(() => {
        for (let looks = 0; looks < 1000; looks += 1) {
          const look = lookAt(join(way!, 'music'), secret);
          if (look?.isLet) expect(look.isSecret).toBe(false);
          if (look?.isLet) count.let += 1;
          else if (look?.isSecret) count.refused += 1;
        }
        return count.let >= 100 && count.refused >= 5000;
      }, 'the file was looked at often enough');
    } finally {
      await swapping.terminate();
    }
  });

  it('is refused in a folder that not everybody may enter, unless that is allowed', () => {
    const closed = join(inside, 'closed');
    mkdirSync(join(closed, 'open'), { recursive: true });
    const path = file(join(closed, 'open', 'music'));
    opened(path);
    chmodSync(closed, 0o700);
    expect(() => opened(path)).toThrow(`may enter ${closed}: allow that by chmod o+x`);
    gate = new SourceFolders(() => ({ folders: [inside, closed], own: [] }));
    opened(path);
  });

  it('is refused with a second name, which may lie anywhere', () => {
    linkSync(file(join(outside, 'secret')), join(inside, 'music'));
    expect(() => opened(join(inside, 'music'))).toThrow('second name');
  });

  it('is refused unless everybody may read it', () => {
    const path = file(join(inside, 'music'), 0o640);
    expect(() => opened(path)).toThrow('chmod o+r');
  });
});

describe('a fifo that is made for a controller', () => {
  it('is made where it is allowed', async () => {
    await makeFifoBehind(gate, join(inside, 'fifo'));
    expect(openFifo(join(inside, 'fifo'))).toBe('opened');
    await expect(makeFifoBehind(gate, join(outside, 'fifo'))).rejects.toThrow('source_dir');
    makeFifoAt(join(outside, 'secret'));
    symlinkSync(join(outside, 'secret'), join(inside, 'link'));
    expect(() => openFifo(join(inside, 'link'))).toThrow('source_dir');
  });

  it('is one of so many, as it stays when its stream goes', async () => {
    for (let made = 0; made < maxMadeFifos - 1; made += 1) gate.takeFifo();
    await makeFifoBehind(gate, join(inside, 'last'));
    await expect(makeFifoBehind(gate, join(inside, 'more'))).rejects.toThrow('is the limit');
    expect(openFifo(join(inside, 'last'))).toBe('opened');
  });

  it('is not made elsewhere when its folder becomes a link meanwhile', async () => {
    const path = join(inside, 'folder');
    mkdirSync(path);
    const making = makeFifoBehind(gate, join(path, 'fifo'));
    renameSync(path, join(inside, 'moved'));
    symlinkSync(own, path);
    await making;
    expect(() => rmSync(join(own, 'fifo'))).toThrow('ENOENT');
    rmSync(join(inside, 'moved', 'fifo'));
  });
});
