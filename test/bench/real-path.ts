import { execFile, execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isRunning } from '../support/daemon-process.ts';

const run = promisify(execFile);

const serverHost = '10.99.0.1';
const peerHost = '10.99.0.2';
const serverMac = '02:00:0a:63:00:01';
const peerMac = '02:00:0a:63:00:02';
const namePrefix = 'zerocast-bench-';
// Frames that the tap device holds until the peers read them: a tick of a thousand large sends.
const queuedFrames = 16384;

/** Why this machine has no path on which zero-copy sending is real. */
export class RealPathUnavailable extends Error {}

export interface RealPath {
  /** The address to serve on. */
  readonly host: string;
  /** Those of `tap-peers`, which itself runs outside. */
  readonly peerOptions: Readonly<Record<string, string>>;
  /** Turns a command into one that runs there and keeps its process id. */
  inside(
    command: string,
    args: readonly string[],
  ): { readonly command: string; readonly args: readonly string[] };
}

async function ip(...args: string[]): Promise<string> {
  try {
    return (await run('ip', args)).stdout;
  } catch (error) {
    const { code, stderr } = error as { readonly code?: string; readonly stderr?: string };
    const reason = code === 'ENOENT' ? 'the program "ip" (iproute2) is missing' : undefined;
    throw new RealPathUnavailable(reason ?? `ip ${args.join(' ')}: ${stderr?.trim()}`);
  }
}

/** What a killed run has left behind. */
async function removeStale(): Promise<void> {
  for (const line of (await ip('netns', 'list')).split('\n')) {
    const [name = ''] = line.split(' ');
    if (name.startsWith(namePrefix) && !isRunning(Number(name.slice(namePrefix.length)))) {
      await ip('netns', 'delete', name);
    }
  }
}

async function createLinks(name: string): Promise<void> {
  const inside = (...args: string[]) => ip('-n', name, ...args);
  const peer = ['peer', 'name', 'veth1', 'address', peerMac];
  await inside('link', 'add', 'veth0', 'address', serverMac, 'type', 'veth', ...peer);
  const queue = ['txqueuelen', String(queuedFrames)];
  const passThrough = ['type', 'macvtap', 'mode', 'passthru'];
  await inside('link', 'add', 'link', 'veth1', 'name', 'tap0', ...queue, ...passThrough);
  await inside('address', 'add', `${serverHost}/24`, 'dev', 'veth0');
  for (const link of ['lo', 'veth0', 'veth1', 'tap0']) await inside('link', 'set', link, 'up');
  // The peers speak TCP only, so nobody would answer a question for their address.
  await inside('neighbour', 'add', peerHost, 'lladdr', peerMac, 'dev', 'veth0', 'nud', 'permanent');
}

/** The device node in /dev is named after an interface number that is unique per namespace only. */
async function createNode(name: string, path: string): Promise<void> {
  const show = 'cat /sys/class/net/tap0/macvtap/*/dev';
  const [major = '', minor = ''] = (await ip('netns', 'exec', name, 'sh', '-c', show))
    .trim()
    .split(':');
  await run('mknod', ['-m', '600', path, 'c', major, minor]);
}

function removeNow(name: string): void {
  try {
    execFileSync('ip', ['netns', 'delete', name], { stdio: 'ignore' });
  } catch {
    // It was never made, or is gone already.
  }
}

/** Calls `remove` also when the process is told to end; returns how to take that back. */
function onEarlyEnd(remove: () => void): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const stop = (signal: NodeJS.Signals) => {
    remove();
    forget();
    process.kill(process.pid, signal);
  };
  const forget = () => {
    process.off('exit', remove);
    for (const signal of signals) process.off(signal, stop);
  };
  process.on('exit', remove);
  for (const signal of signals) process.on(signal, stop);
  return forget;
}

/**
 * Gives `use` a path of this machine on which MSG_ZEROCOPY does not copy: a veth pair whose far end
 * is a macvtap, read by `tap-peers`; all in a network namespace of its own that ends with the call.
 *
 * Failure: rejects with `RealPathUnavailable` when the machine or the user cannot have it.
 */
export async function withRealPath(use: (path: RealPath) => Promise<void>): Promise<void> {
  if (process.platform !== 'linux') throw new RealPathUnavailable('it needs Linux');
  if (process.getuid?.() !== 0) throw new RealPathUnavailable('only root may create its devices');
  await removeStale();
  const name = `${namePrefix}${process.pid}`;
  const directory = await mkdtemp(join(tmpdir(), namePrefix));
  const remove = () => {
    removeNow(name);
    rmSync(directory, { recursive: true, force: true });
  };
  const forget = onEarlyEnd(remove);
  try {
    const tap = join(directory, 'tap');
    await ip('netns', 'add', name);
    await createLinks(name);
    await createNode(name, tap);
    const ends = { host: serverHost, 'peer-host': peerHost };
    const macs = { 'server-mac': serverMac, 'peer-mac': peerMac };
    return await use({
      host: serverHost,
      inside: (command, args) => ({
        command: 'ip',
        args: ['netns', 'exec', name, command, ...args],
      }),
      peerOptions: { tap, ...ends, ...macs },
    });
  } finally {
    remove();
    forget();
  }
}
