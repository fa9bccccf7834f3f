import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../log/log.ts';

/**
 * Opens the log file anew on SIGUSR1, which programs that rotate logs send.
 *
 * To be made first of all, and for good: without a listener for SIGUSR1, Node opens its debugger.
 */
export class LogRotation {
  #log: Log | undefined;

  constructor() {
    process.on('SIGUSR1', () => this.#rotate());
  }

  use(log: Log): void {
    this.#log = log;
  }

  #rotate(): void {
    if (!this.#log) return;
    const logger = this.#log.logger.tagged('Log');
    try {
      if (this.#log.reopen()) logger.info('log file opened anew');
      else logger.info('the log is no file, nothing to open anew');
    } catch (error) {
      logger.error('the log file cannot be opened anew, the old one stays in use', {
        reason: messageOf(error),
        remedy: 'make the file first, or allow the user of the server to make it',
      });
    }
  }
}
