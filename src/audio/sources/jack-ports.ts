import { execFile } from 'node:child_process';
import { findProgram } from '../../base/children/find-program.ts';
import { messageOf, SourceError } from '../../base/errors.ts';
import { within } from '../../base/time/within.ts';
import type { ProgramLog } from './program-log.ts';

const lookMs = 1000;
const programTimeoutMs = 5000;
const maxOutputBytes = 1_048_576;
const audioType = '32 bit float mono audio';

interface JackPortsOptions {
  /** Which output ports are connected, an extended regular expression. */
  readonly pattern: string;
  readonly skippedPorts: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly log: ProgramLog;
  readonly onFailure: (error: SourceError) => void;
}

/** Finds and connects the ports of JACK by its programs, again whenever there is a new one. */
export class JackPorts {
  readonly #options: JackPortsOptions;
  readonly #list: string;
  readonly #connect: string;
  readonly #grep = findProgram('/usr/bin/grep');
  #looking: Promise<void> = Promise.resolve();
  #abort = new AbortController();
  #endWait: () => void = () => undefined;

  /** Failure: throws a `SourceError` when a program is not installed. */
  constructor(options: JackPortsOptions) {
    this.#options = options;
    this.#list = findJackProgram('jack_lsp', 'jack-example-tools or jackd2');
    this.#connect = findJackProgram('jack_connect', 'jack-example-tools or jackd2');
  }

  /** Connects to the ports of `client`, `input1`, …, from now on. */
  begin(client: string, channels: number): void {
    this.#abort = new AbortController();
    this.#looking = this.#keepLooking(client, channels);
  }

  /** Resolves when none of its programs runs. */
  async end(): Promise<void> {
    this.#abort.abort();
    this.#endWait();
    await this.#looking;
  }

  async #keepLooking(client: string, channels: number): Promise<void> {
    const { signal } = this.#abort;
    let known: ReadonlySet<string> = new Set();
    while (!signal.aborted) {
      try {
        const names = outputsIn(await this.#run(this.#list, ['-p', '-t']));
        if (names.some((name) => !known.has(name))) await this.#join(names, { client, channels });
        known = new Set(names);
      } catch (error) {
        if (!signal.aborted) this.#note(error);
      }
      const ended = new Promise<void>((resolve) => {
        this.#endWait = resolve;
      });
      if (!signal.aborted) await within(ended, lookMs);
    }
  }

  async #join(
    names: readonly string[],
    { client, channels }: { client: string; channels: number },
  ): Promise<void> {
    const { skippedPorts } = this.#options;
    const matching = await this.#matching(names);
    const chosen = matching.slice(skippedPorts, skippedPorts + channels);
    for (const [channel, name] of chosen.entries()) {
      // One that is connected already is refused.
      await this.#run(this.#connect, ['--', name, `${client}:input${channel + 1}`]).catch((error) =>
        this.#note(error),
      );
    }
  }

  /** By grep, which takes expressions as JACK does, and as long as it likes. */
  async #matching(names: readonly string[]): Promise<readonly string[]> {
    const args = ['-aE', '-e', this.#options.pattern];
    try {
      return linesOf(await this.#run(this.#grep, args, names.join('\n')));
    } catch (error) {
      if (statusOf(error) === 1) return [];
      if (statusOf(error) === 2) this.#options.onFailure(badPattern(error));
      throw error;
    }
  }

  #note(error: unknown): void {
    this.#options.log.own('debug', 'ports are not connected', { reason: messageOf(error) });
  }

  #run(program: string, args: readonly string[], input = ''): Promise<string> {
    const options = {
      env: { ...process.env, ...this.#options.environment },
      timeout: programTimeoutMs,
      maxBuffer: maxOutputBytes,
      signal: this.#abort.signal,
    };
    return new Promise((resolve, reject) => {
      const child = execFile(program, args, options, (error, stdout) => {
        if (error) reject(error);
        else resolve(stdout);
      });
      child.stdin?.on('error', () => undefined); // it has ended before it has read all
      child.stdin?.end(input);
    });
  }
}

/** Failure: throws a `SourceError` when it is not installed. */
export function findJackProgram(name: string, packageName: string): string {
  return findProgram(`/usr/bin/${name}`, process.env.PATH, packageName);
}

/** The names in what `jack_lsp -p -t` says: each is followed by lines about it. */
function outputsIn(text: string): readonly string[] {
  const ports = text.split(/^(?=[^\t])/m).map((port) => port.split('\n'));
  return ports
    .filter(
      ([, properties = '', type = '']) =>
        properties.includes('output,') && type.includes(audioType),
    )
    .map(([name = '']) => name);
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

function statusOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function badPattern(cause: unknown): SourceError {
  const said = /grep: (.*)/.exec(messageOf(cause))?.[1] ?? '';
  return new SourceError('bad-parameter', `autoconnect is no regular expression (${said})`, {
    cause,
  });
}
