// Breaks a process at each SIGUSR2, in the way that BREAK_BY names, and again at every turn after it.
import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const ways = {
  exception: () => {
    throw new Error('broken on purpose');
  },
  // Thrown by the server's own code.
  clock: () => {
    performance.now = undefined;
  },
  rejection: () => void Promise.reject(new Error('broken on purpose')),
  // A disk that answers nothing any more, as of a server that is gone.
  disk: () => {
    files.open = () => new Promise(() => undefined);
    syncBuiltinESMExports();
    throw new Error('broken on purpose');
  },
};

process.on('SIGUSR2', () => {
  setInterval(ways[process.env.BREAK_BY], 1);
  ways[process.env.BREAK_BY]();
});
