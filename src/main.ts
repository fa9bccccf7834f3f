#!/usr/bin/env node
import { failureStatus, forcedStatus } from './app/process-ending.ts';
import { descriptorShortage } from './transport/descriptor-guard.ts';

async function main(): Promise<number> {
  // Before anything else is loaded, which takes descriptors.
  const shortage = descriptorShortage();
  if (shortage !== undefined) return fail(shortage);
  const { messageOf, ZerocastError } = await import('./base/errors.ts');
  try {
    const { runCommand } = await import('./command.ts');
    return await runCommand(process.argv.slice(2), endAtOnce);
  } catch (error) {
    const isExpected = error instanceof ZerocastError;
    if (isExpected || !(error instanceof Error)) return fail(messageOf(error));
    return fail((await import('./base/readable-stack.ts')).readableStack(error));
  }
}

function fail(text: string): number {
  process.stderr.write(`zerocast: ${text}\n`);
  return failureStatus;
}

/**
 * Ends the process with its children, also when a thread waits for the file system: `process.exit`
 * alone would wait for that thread, perhaps for ever.
 */
function endAtOnce(): never {
  process.on('exit', () => process.kill(process.pid, 'SIGKILL'));
  process.exit(forcedStatus);
}

const status = await main();
if (status === forcedStatus) endAtOnce();
process.exit(status);
