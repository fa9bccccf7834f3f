/** The faults that Zerocast tells apart. Each stops exactly one thing; see ARCHITECTURE.md, "Errors". */
export class ZerocastError extends Error {
  /** Short machine-readable name of the fault, for example `bad-sample-format`. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The configuration cannot be used: stops the process before any socket opens, or one reload. */
export class ConfigError extends ZerocastError {
  /** One sentence per fault, each on one line and with its origin as far as that is known. */
  readonly faults: readonly string[];

  constructor(
    code: string,
    message: string,
    options: ErrorOptions & { readonly faults?: readonly string[] } = {},
  ) {
    super(code, message, options);
    this.faults = options.faults ?? [message];
  }
}

/** A source or its encoder cannot go on: stops one stream. */
export class SourceError extends ZerocastError {}

/** A peer broke the binary protocol: stops one session. */
export class ProtocolError extends ZerocastError {}

/** A request of a controller cannot be served: stops one reply. */
export class RpcError extends ZerocastError {
  /** The code of the error object. Source: protocol reference, 9.2. */
  readonly rpcCode: number;
  /** What controllers show beside the message; absent where the reference has none. */
  readonly data: string | undefined;

  constructor(rpcCode: number, message: string, data?: string) {
    super('rpc', message);
    this.rpcCode = rpcCode;
    this.data = data;
  }
}

/** A broken promise of our own code: stops the process. */
export class AssertionError extends ZerocastError {}

/**
 * Fails with an `AssertionError` that says which promise was broken, and by whom.
 *
 * The two parts are put together only on failure: this runs for every chunk and session.
 */
export function assert(condition: boolean, promise: string, subject?: object): asserts condition {
  if (!condition)
    throw new AssertionError('assertion', subject ? `${subject} ${promise}` : promise);
}

/** The short name of what was thrown, for example `ENOENT`; empty when it has none. */
export function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
}

/** The sentence to show a person for anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
