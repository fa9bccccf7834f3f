import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';

const digits = 12;

/** The same short text whenever it is asked for on this machine; it tells nothing about it. */
export function machineName(): string {
  // The id itself must not be shown to a peer. Source: machine-id(5).
  return createHash('sha256').update(`zerocast ${machineId()}`).digest('hex').slice(0, digits);
}

function machineId(): string {
  return systemId() || macAddress() || hostname();
}

function systemId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    return '';
  }
}

function macAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, mac }) => !internal && mac !== '00:00:00:00:00:00')?.mac ?? '';
}
