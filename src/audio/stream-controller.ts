/** Takes the commands that the properties of a stream allow: to pause, skip, seek and so on. */
export interface StreamController {
  /**
   * Shape: `command` and `params` as in `Stream.Control`, checked by the caller.
   * Failure: rejects with an `RpcError` when the command is refused or cannot be answered.
   */
  control(command: string, params?: Readonly<Record<string, number>>): Promise<void>;
  /** Failure: as `control`. */
  setProperty(name: string, value: boolean | number | string): Promise<void>;
}
