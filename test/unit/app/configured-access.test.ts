import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configuredAccess } from '../../../src/app/configured-access.ts';
import { makeCertificate } from '../../support/certificates.ts';
import { loadText } from '../../support/config-text.ts';
import { makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';

let folder: string;
beforeEach(() => {
  folder = makeScratchFolder();
});
afterEach(() => removeScratchFolder(folder));

const users = '[authorization]\nenabled = true\nrole = r:*\nuser = ann:pw:r\n';
const open = (text: string, present?: Awaited<ReturnType<typeof configuredAccess>>) =>
  configuredAccess(loadText(text).config, undefined, present);

describe('access', () => {
  it('stays the same while users, roles and tokens do, whatever else changes', async () => {
    const present = await open(users);
    expect(await open(`${users}[stream]\nbuffer = 500\n`, present)).toBe(present);
  });

  it.each([
    ['a user', users.replace(':pw:', ':other:')],
    ['a role', users.replace('r:*', 'r:Server.*')],
    ['the secret of tokens', `${users}token_secret = ${'x'.repeat(40)}\n`],
    ['whether it is needed', users.replace('true', 'false')],
  ])('is another one with %s', async (_, text) => {
    const present = await open(users);
    const next = await open(text, present);
    expect(next).not.toBe(present);
    expect(await open(text, next)).toBe(next);
    expect(await open(users, next)).not.toBe(next);
  });

  it('is another one with another certificate in the same file', async () => {
    makeCertificate({ folder, name: 'a' });
    const text = `${users}[ssl]\ncertificate = ${join(folder, 'a.crt')}\n`;
    const present = await open(text);
    expect(await open(text, present)).toBe(present);
    makeCertificate({ folder, name: 'a' });
    expect(await open(text, present)).not.toBe(present);
    writeFileSync(join(folder, 'a.crt'), 'nothing');
    await expect(open(text, present)).rejects.toThrow(/cannot be read/);
  });
});
