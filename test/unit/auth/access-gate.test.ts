import { describe, expect, it } from 'vitest';
import type { AccessEntries, Login } from '../../../src/auth/access.ts';
import { AccessGate } from '../../../src/auth/access-gate.ts';
import { plain } from '../../support/logins.ts';

const ann: Login = { user: 'ann', permits: () => true };
const others: AccessEntries = {
  anonymous: undefined,
  login: () => Promise.reject(new Error('nobody is known')),
  issueToken: async () => undefined,
  renew: () => undefined,
};

/** Entries that look at a password until they are told to be done. */
function slowEntries(): { readonly entries: AccessEntries; readonly finish: () => void } {
  let finish = () => {};
  const looked = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const entries = { ...others, login: () => looked.then(() => ann), renew: () => ann };
  return { entries, finish: () => finish() };
}

describe('an access gate', () => {
  it('lets in whose password was looked at by the present entries', async () => {
    const { entries, finish } = slowEntries();
    const gate = new AccessGate(entries);
    const login = gate.login(plain('ann:pw'));
    finish();
    expect((await login).permits('Server.GetStatus')).toBe(true);
  });

  it('refuses a login whose user is removed while the password is looked at', async () => {
    const { entries, finish } = slowEntries();
    const gate = new AccessGate(entries);
    const login = gate.login(plain('ann:pw'));
    gate.replace(others);
    finish();
    await expect(login).rejects.toThrow();
  });

  it('lets in whose user is still there when the entries are replaced meanwhile', async () => {
    const { entries, finish } = slowEntries();
    const gate = new AccessGate(entries);
    const login = gate.login(plain('ann:pw'));
    gate.replace({ ...others, renew: () => ({ ...ann, permits: (what) => what === 'Streaming' }) });
    finish();
    const { permits } = await login;
    expect([permits('Streaming'), permits('Server.GetStatus')]).toEqual([true, false]);
  });
});
