import { readFileSync } from 'node:fs';
import { arch, hostname, release, type } from 'node:os';
import type { HostFacts } from './status-tree.ts';

const machineNames: ReadonlyMap<string, string> = new Map([
  ['x64', 'x86_64'],
  ['arm64', 'aarch64'],
  ['arm', 'armv7l'],
  ['ia32', 'i686'],
]);

/** Reads what controllers are told about this machine: once, at the start. */
export function hostFacts(): HostFacts {
  return {
    arch: machineNames.get(arch()) ?? arch(),
    name: hostname(),
    os: prettyName() ?? `${type()} ${release()}`,
  };
}

/** Source: os-release(5). */
function prettyName(): string | undefined {
  try {
    const text = readFileSync('/etc/os-release', 'utf8');
    const [, value] = /^PRETTY_NAME=["']?(.*?)["']?\s*$/m.exec(text) ?? [];
    return value || undefined;
  } catch {
    // Other systems have no such file.
    return undefined;
  }
}
