import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const installTimeoutMs = 300_000;

export interface NodePrograms {
  /** The program of each version that was asked for. */
  readonly programs: ReadonlyMap<string, string>;
  /** Why some of them are not there. */
  readonly problem: string | undefined;
}

/**
 * Node in several versions from the registry of packages, kept in the cache of the user.
 *
 * A version may be a range such as `22`, which stands for the newest of them that is known here.
 */
export async function installNodes(versions: readonly string[]): Promise<NodePrograms> {
  const name = `node-${process.platform}-${process.arch}`;
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const folder = join(cache, 'zerocast-tests', name);
  const wanted = versions.map((version) => [version, `node-${version}`] as const);
  const problem = await install(
    folder,
    Object.fromEntries(wanted.map(([version, alias]) => [alias, `npm:${name}@${version}`])),
  );
  const programs = new Map(
    wanted
      .map(
        ([version, alias]) => [version, join(folder, 'node_modules', alias, 'bin/node')] as const,
      )
      .filter(([, program]) => existsSync(program)),
  );
  return { programs, problem: programs.size < versions.length ? problem : undefined };
}

/** The result says in one line why that failed. */
async function install(
  folder: string,
  dependencies: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
    // Not from a lock file: the newest of each is what users get.
    const options = [
      '--fetch-retry-mintimeout=1000',
      '--no-package-lock',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
    ];
    await promisify(execFile)('npm', ['install', '--prefer-offline', ...options], {
      cwd: folder,
      timeout: installTimeoutMs,
    });
    return undefined;
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const [line = said] = /npm (?:ERR!|error) .*/.exec(said) ?? [];
    return `Node cannot be had from the registry: ${line}`;
  }
}
