/** Which files and fifos a source may open. Failure: a `SourceError` that says what is allowed. */
export interface FileGate {
  /** Before anything is opened or made: opening alone may do something to a device. */
  checkPath(path: string): void;
  /** Before a fifo is made, which stays when its stream goes. */
  takeFifo(): void;
  /** After it was opened: what lay at `path` may be another one by then. */
  checkOpen(path: string, descriptor: number): void;
}
