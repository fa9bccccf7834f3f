import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const sourceDir = fileURLToPath(new URL('native/', import.meta.url));
const warnings = ['-Wall', '-Wextra', '-Wconversion', '-Werror'];

/**
 * Compiles the load client and the baseline server into `outDir`.
 *
 * Failure: rejects with the compiler's own words.
 */
export async function buildNative(outDir) {
  const sources = ['load-client.cpp', 'load.cpp', 'client.cpp'];
  const loadClient = join(outDir, 'load-client');
  const sendLoop = join(outDir, 'send-loop');
  const inSources = { cwd: sourceDir };
  await run('g++', ['-std=c++20', '-O2', ...warnings, ...sources, '-o', loadClient], inSources);
  await run('gcc', ['-std=c11', '-O2', ...warnings, 'send-loop.c', '-o', sendLoop], inSources);
  return { loadClient, sendLoop };
}
