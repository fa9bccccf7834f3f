/**
 * Which files and fifos the source of a stream may open.
 *
 * Failure: all throw a `SourceError` that says what is allowed.
 */
export interface FileGate {
  /** Before anything is opened or made: opening alone may do something to a device. */
  checkPath(path: string): void;
  /** Before a fifo is made, which stays when its stream goes. */
  takeFifo(): void;
  /** After it was opened: what lay at `path` may be another one by then. */
  checkOpen(path: string, descriptor: number): void;
}
