import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const sourceDir = fileURLToPath(new URL('native/', import.meta.url));
const warnings = ['-Wall', '-Wextra', '-Wconversion', '-Werror'];
const tapSources = [
  'tap-peers.cpp',
  'peer-load.cpp',
  'peer-client.cpp',
  'peer-network.cpp',
  'tcp-peer.cpp',
  'segment.cpp',
  'tap-device.cpp',
];
const ratioSources = ['send-ratio.cpp', 'send-sockets.cpp'];

/** The compiled programs. */
export interface NativePrograms {
  readonly loadClient: string;
  readonly sendLoop: string;
  readonly tapPeers: string;
  readonly sendRatio: string;
}

/**
 * Compiles the load clients, the baseline server and the bare measurements into `outDir`.
 *
 * Failure: rejects with the compiler's own words.
 */
export async function buildNative(outDir: string): Promise<NativePrograms> {
  const sources = ['load-client.cpp', 'load.cpp', 'client.cpp'];
  const loadClient = join(outDir, 'load-client');
  const sendLoop = join(outDir, 'send-loop');
  const inSources = { cwd: sourceDir };
  await run('g++', ['-std=c++20', '-O2', ...warnings, ...sources, '-o', loadClient], inSources);
  const tapPeers = join(outDir, 'tap-peers');
  const sendRatio = join(outDir, 'send-ratio');
  await run('g++', ['-std=c++20', '-O2', ...warnings, ...tapSources, '-o', tapPeers], inSources);
  await run('g++', ['-std=c++20', '-O2', ...warnings, ...ratioSources, '-o', sendRatio], inSources);
  await run('gcc', ['-std=c11', '-O2', ...warnings, 'send-loop.c', '-o', sendLoop], inSources);
  return { loadClient, sendLoop, tapPeers, sendRatio };
}
