import { writeSync } from 'node:fs';

/**
 * For what is loaded into the process under test by `--import`: SIGUSR2 opens a window and closes it
 * again, which prints what `close` returns.
 */
export function observe(name, { open, close }) {
  let isOpen = false;
  process.on('SIGUSR2', async () => {
    isOpen = !isOpen;
    if (isOpen) open();
    else writeSync(2, `${name} ${JSON.stringify(await close())}\n`);
  });
}
