import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { findIdentity } from '../../../../src/app/daemon/identity.ts';
import { ConfigError } from '../../../../src/base/errors.ts';
import { makeScratchFolder, removeScratchFolder } from '../../../support/scratch-folder.ts';

let folder: string;

beforeEach(() => {
  folder = makeScratchFolder();
});

afterEach(() => {
  vi.unstubAllEnvs();
  removeScratchFolder(folder);
});

const root = { user: 'root', uid: 0, gid: 0, home: '/root' };

function faultOf(user: string, group = ''): unknown {
  try {
    return findIdentity({ user, group });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.code;
  }
}

/** A directory in the network that knows these entries, and nothing else. */
function networkWith(entries: Readonly<Record<string, string>>): void {
  const cases = Object.entries(entries).map(([key, line]) => `'${key}') echo '${line}';;`);
  const program = join(folder, 'getent');
  writeFileSync(program, `#!/bin/sh\ncase "$*" in ${cases.join(' ')} *) exit 2;; esac\n`);
  chmodSync(program, 0o755);
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
}

describe('a user to run as', () => {
  it('is found by name and by number, with its primary group', () => {
    networkWith({});
    expect(findIdentity({ user: 'root', group: '' })).toEqual(root);
    expect(findIdentity({ user: '0', group: '' })).toEqual(root);
  });

  it('gets another group where one is named, by name or by number', () => {
    networkWith({});
    const [, second = ''] = readFileSync('/etc/group', 'utf8').split('\n');
    const [name = '', , number = ''] = second.split(':');
    expect(name).not.toBe('root');
    for (const group of [name, number]) {
      expect(findIdentity({ user: 'root', group })).toEqual({ ...root, gid: Number(number) });
    }
  });

  it('may also come from the network, as may its group', () => {
    networkWith({
      'passwd -- far': 'far:x:4711:4712:Far Away:/far/home:/bin/sh',
      'passwd -- homeless': 'homeless:x:4713:4714:::',
      'group -- far-group': 'far-group:x:4715:far',
    });
    const far = { user: 'far', uid: 4711, gid: 4712, home: '/far/home' };
    expect(findIdentity({ user: 'far', group: '' })).toEqual(far);
    expect(findIdentity({ user: 'far', group: 'far-group' })).toEqual({ ...far, gid: 4715 });
    const homeless = { user: 'homeless', uid: 4713, gid: 4714, home: '/' };
    expect(findIdentity({ user: 'homeless', group: '' })).toEqual(homeless);
  });

  it('is not asked for in the network where the machine knows it', () => {
    networkWith({ 'passwd -- root': 'root:x:4711:4711::/far:/bin/sh' });
    expect(findIdentity({ user: 'root', group: '' })).toEqual(root);
  });

  it('must be there, as must its group', () => {
    networkWith({ 'passwd -- odd': 'odd' });
    expect(faultOf('nosuchuser')).toBe('unknown-user');
    expect(faultOf('odd')).toBe('unknown-user');
    expect(faultOf('root', 'nosuchgroup')).toBe('unknown-group');
  });
});
