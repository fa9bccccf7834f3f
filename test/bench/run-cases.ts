import { freePort, type ServerProcess } from '../support/server-process.ts';
import type { NativePrograms } from './native-build.ts';
import type { SystemCallCounter } from './system-calls.ts';

/** What a benchmark is told on the command line. */
export interface BenchOptions {
  /** To see that everything works: says nothing about targets. */
  readonly isShort: boolean;
  readonly clients: readonly number[];
  readonly rounds: number;
  readonly windowMs: number;
  readonly warmUpMs: number;
  readonly connectsPerSec: number;
  readonly sendIntervals: readonly string[];
  readonly formats: readonly string[];
  readonly servers: readonly string[];
  /** Whether Zerocast's audio comes by a fifo from a program, instead of being generated. */
  readonly isFed: boolean;
  readonly syscalls: boolean;
}

/** What all cases have in common. */
export interface BenchContext extends NativePrograms {
  /** The built program. */
  readonly main: string;
  /** Debian's, or another build of it. */
  readonly snapserver: string;
  /** In front of a server's command: what keeps it on a core of its own. */
  readonly core: readonly string[];
  readonly workDir: string;
  readonly systemCalls?: SystemCallCounter | undefined;
  progress(text: string): void;
}

/** What a benchmark has found. */
export interface BenchReport {
  readonly options: BenchOptions;
  readonly cases: readonly object[];
  readonly rows?: readonly object[];
  readonly text: string;
  readonly failures: readonly string[];
  /** Which network, if any, the figures went through. */
  readonly path: string;
  /** Absent: the usual one. */
  readonly method?: string;
}

/** Where one server is started. */
export type StartContext = BenchContext & {
  readonly port: number;
  /** How many are going to come. */
  readonly clients: number;
  /** Kept, with what the server remembers; absent: a fresh one. */
  readonly folder?: string;
};

/** What a server says about itself becomes part of its cases. */
export interface ServerTraits {
  readonly key?: string;
  readonly format?: string;
  readonly sendInterval?: string;
}

export interface BenchServer<Running extends ServerProcess = ServerProcess> {
  readonly name: string;
  readonly about?: ServerTraits;
  /** The one that is loaded into it. */
  readonly observer?: string;
  start(context: StartContext): Promise<Running>;
}

/** One server under one number of clients. */
export interface CaseSetup<Running extends ServerProcess = ServerProcess> {
  readonly running: Running;
  readonly port: number;
  readonly server: BenchServer<Running>;
  readonly clients: number;
  readonly options: BenchOptions;
  readonly context: BenchContext;
}

interface CaseName extends ServerTraits {
  readonly clients: number;
  readonly server: string;
}

export type WholeCase<Figures> = CaseName & Figures & { readonly failure?: undefined };
export type Case<Figures> = WholeCase<Figures> | (CaseName & { readonly failure: string });

function describeCase({ clients, server, format }: CaseName): string {
  return [`${clients} clients`, format, server].filter((part) => part !== undefined).join(', ');
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** A case that fails is a result too: it is reported, and the others still run. */
async function runCase<Running extends ServerProcess, Figures>(
  setup: Omit<CaseSetup<Running>, 'running' | 'port'>,
  measure: (setup: CaseSetup<Running>) => Promise<Figures>,
): Promise<Case<Figures>> {
  const { server, clients, context } = setup;
  const name = { clients, server: server.name, ...server.about };
  let running: Running | undefined;
  try {
    const port = await freePort();
    running = await server.start({ ...context, port, clients });
    const figures = await measure({ ...setup, running, port });
    await running.stop();
    return { ...name, ...figures };
  } catch (error) {
    await running?.kill();
    return { ...name, failure: reasonOf(error) };
  }
}

/**
 * Runs each case in a process of its own, the servers in turn, so that a drift of the machine hits
 * what is measured and what it is compared to.
 */
export async function runCases<Running extends ServerProcess, Figures>({
  servers,
  measure,
  options,
  context,
}: {
  readonly servers: readonly BenchServer<Running>[];
  readonly measure: (setup: CaseSetup<Running>) => Promise<Figures>;
  readonly options: BenchOptions;
  readonly context: BenchContext;
}): Promise<Case<Figures>[]> {
  const cases: Case<Figures>[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    for (const clients of options.clients) {
      for (const server of servers) {
        const name = describeCase({ clients, server: server.name, ...server.about });
        context.progress(`round ${round}/${options.rounds}, ${name}`);
        cases.push(await runCase({ server, clients, options, context }, measure));
      }
    }
  }
  return cases;
}

export function listFailures(cases: readonly Case<unknown>[]): string[] {
  return cases.flatMap((each) =>
    each.failure === undefined ? [] : [`${describeCase(each)}: ${each.failure}`],
  );
}

/** The cases that did not fail. */
export function wholeOf<Figures>(cases: readonly Case<Figures>[]): WholeCase<Figures>[] {
  return cases.filter((each) => each.failure === undefined);
}
