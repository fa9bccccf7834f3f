import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { CaseSetup } from './run-cases.ts';

/** Units: of each kind of time microseconds. */
export interface Samples {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What the load client has seen; `native/load-client.cpp` prints it. */
export interface LoadResult {
  readonly windowMs: number;
  readonly chunkUs: number;
  readonly chunks: number;
  readonly chunkBytes: number;
  readonly gaps: number;
  readonly chunkAgeUs: Samples;
  readonly timeRoundTripUs: Samples;
  readonly firstChunkUs: Samples;
  /** By how much the clock of a client is wrong after its opening Time requests. */
  readonly syncErrorUs: Samples;
  readonly loadClientCpuUs: number;
  readonly problems: readonly string[];
}

export type LoadEvent = 'joined' | 'window-start' | 'window-end';
/** Those of the load client's command line. */
type LoadOptions = Readonly<Record<string, number>>;

function toArgs(options: LoadOptions): string[] {
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

/**
 * Runs the load client to its end; `onEvent` hears `joined`, `window-start` and `window-end` as they happen.
 *
 * Failure: rejects when anything that was due did not arrive: such a case measured nothing.
 */
export async function runLoad(
  loadClient: string,
  options: LoadOptions,
  onEvent: (event: LoadEvent) => void = () => {},
): Promise<LoadResult> {
  const child = spawn(loadClient, toArgs(options), { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  let result: LoadResult | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line);
    if (event.event === 'result') result = event;
    else onEvent(event.event);
  }
  const [status] = await closed;
  if (status === 0 && result) return result;
  throw new Error(`load client: ${result?.problems.join('; ') ?? `exit status ${status}`}`);
}

/** The same with what a case is told, but for `changes`. */
export function runLoadOn(
  { port, clients, server, options, context }: Omit<CaseSetup, 'running'>,
  onEvent?: (event: LoadEvent) => void,
  changes: LoadOptions = {},
): Promise<LoadResult> {
  const usual = {
    port,
    clients,
    'connects-per-second': options.connectsPerSec,
    'warm-up-ms': options.warmUpMs,
    'window-ms': options.windowMs,
    'skip-early-chunks': Number(server.about?.key === 'snapserver'),
  };
  return runLoad(context.loadClient, { ...usual, ...changes }, onEvent);
}
