import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const sourceDir = fileURLToPath(new URL('native/', import.meta.url));
const warnings = ['-Wall', '-Wextra', '-Wconversion', '-Werror'];

const programs = {
  loadClient: ['load-client.cpp', 'load.cpp', 'client.cpp'],
  sendLoop: ['send-loop.c'],
  feeder: ['feeder.c'],
  tapPeers: [
    'tap-peers.cpp',
    'peer-load.cpp',
    'peer-client.cpp',
    'peer-network.cpp',
    'tcp-peer.cpp',
    'segment.cpp',
    'tap-device.cpp',
  ],
  dspKernels: [
    'dsp-kernels.cpp',
    'dsp-scalar.cpp',
    '../../../native/core/dsp/kernels.cpp',
    '../../../native/core/dsp/kernels-avx2.cpp',
    '../../../native/core/dsp/limiter.cpp',
    '../../../native/core/dsp/plain-loops.cpp',
    '../../../native/core/dsp/spectra.cpp',
  ],
  sendRatio: ['send-ratio.cpp', 'send-sockets.cpp'],
} as const;

/** What the addon is compiled with, beyond the usual. */
const flags: Partial<Record<string, readonly string[]>> = {
  dspKernels: [
    '-O3',
    '-fno-trapping-math',
    '-ffp-contract=off',
    '-I../../../native/core',
    '-I../../../native/test',
  ],
};

/** The compiled programs. */
export type NativePrograms = Readonly<Record<keyof typeof programs, string>>;

/**
 * Compiles the load clients, the baseline server, the feeder and the bare measurements into `outDir`.
 *
 * Failure: rejects with the compiler's own words.
 */
export async function buildNative(outDir: string): Promise<NativePrograms> {
  const builds = Object.entries(programs).map(async ([name, sources]) => {
    const program = join(outDir, name);
    const compiler = sources[0].endsWith('.c') ? ['gcc', '-std=c11'] : ['g++', '-std=c++20'];
    const [file = '', standard = ''] = compiler;
    const args = [standard, '-O2', ...warnings, ...(flags[name] ?? []), ...sources, '-o', program];
    await run(file, args, { cwd: sourceDir });
    return [name, program];
  });
  return Object.fromEntries(await Promise.all(builds));
}
