import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { namespacesAreOff } from '../../support/network-namespace.ts';
import { buildPlainModule, type PlainModule } from '../../support/plain-module.ts';

let built: PlainModule;
beforeAll(() => {
  built = buildPlainModule('src/probe/machine-name.ts');
});
afterAll(() => built.remove());

/** The name of this machine with other devices, where nobody has given it an id. */
function nameWith(devices: string): string {
  const hide = 'mount --bind /dev/null /etc/machine-id && ip link set lo up';
  const ask = `import('${built.path}').then(({ machineName }) => console.log(machineName()))`;
  const script = `${hide} && ${devices} && exec "${process.execPath}" -e "${ask}"`;
  return execFileSync('unshare', ['-mn', 'sh', '-c', script], { encoding: 'utf8' }).trim();
}

const shortened = (text: string) =>
  createHash('sha256').update(`zerocast ${text}`).digest('hex').slice(0, 12);

describe.skipIf(namespacesAreOff)('the name of a machine', () => {
  it('comes from its id', () => {
    const ask = `import('${built.path}').then(({ machineName }) => console.log(machineName()))`;
    const name = execFileSync(process.execPath, ['-e', ask], { encoding: 'utf8' }).trim();
    expect(name).toBe(shortened(readFileSync('/etc/machine-id', 'utf8').trim()));
  });

  it('comes from its first network device where it has no id', () => {
    const mac = '02:00:00:00:00:07';
    const device = `ip link add v0 address ${mac} type veth peer name v1`;
    const isUp = 'ip addr add 10.9.9.1/30 dev v0 && ip link set v0 up && ip link set v1 up';
    expect(nameWith(`${device} && ${isUp}`)).toBe(shortened(mac));
  });

  it('comes from what it is called where it has neither', () => {
    expect(nameWith('true')).toBe(shortened(hostname()));
  });
});
