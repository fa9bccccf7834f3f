import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isRoot } from './scratch-folder.ts';

const runTimeoutMs = 170_000;
const npmFolder = '/usr/lib/node_modules/npm';
/** What one needs to reach a registry, where it is reached in another way than usual. */
const networkVariables = ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'];
const certificatesFile = '/etc/certificates.pem';

/** How a command runs inside. */
export interface BareSettings {
  readonly cwd?: string;
  /** The number of the user and of its group; usually root. */
  readonly user?: number;
  /** Runs as process 1 of its own process namespace, as in a container. */
  readonly isFirst?: boolean;
  /** Added to the environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface BareRun {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A root folder with Node, npm, a shell and `env`, and nothing else: what it does not hold, such as
 * a compiler, cannot be found by accident. The mounts live and die with each command.
 */
export class BareRoot {
  readonly folder: string;
  readonly #mounts: ReadonlyMap<string, string>;
  readonly #environment: Record<string, string>;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'zerocast-root-'));
    for (const name of ['bin', 'dev', 'etc', 'home', 'proc', 'tmp', 'usr/bin', 'var/lib']) {
      mkdirSync(join(this.folder, name), { recursive: true });
    }
    // As a system has them, for users who are not root.
    chmodSync(this.folder, 0o755);
    chmodSync(this.at('/tmp'), 0o1777);
    for (const program of ['/bin/sh', '/usr/bin/env']) this.#copyProgram(program, program);
    for (const library of librariesOf(process.execPath)) this.#copy(library, library);
    for (const file of ['/etc/resolv.conf', '/etc/hosts', '/etc/nsswitch.conf']) {
      if (existsSync(file)) this.#copy(file, file);
    }
    writeFileSync(this.at('/etc/passwd'), 'root:x:0:0::/home:/bin/sh\n');
    this.#mounts = new Map([
      [process.execPath, '/usr/bin/node'],
      [npmHome(), npmFolder],
      [npmSetting('cache'), '/home/.npm'],
      ['/proc', '/proc'],
      ['/dev', '/dev'],
    ]);
    this.#prepareMountPoints();
    for (const name of ['npm', 'npx']) {
      symlinkSync(`${npmFolder}/bin/${name}-cli.js`, join(this.folder, 'usr/bin', name));
    }
    this.#environment = this.#environmentInside();
  }

  /** Whether this machine lets us make one. */
  static isPossible(): boolean {
    return spawnSync('unshare', [...namespaces(), 'true']).status === 0;
  }

  /** Where a path inside lies for this process. */
  at(path: string): string {
    return join(this.folder, path);
  }

  /** Runs a line of shell to its end, inside. */
  run(line: string, settings: BareSettings = {}): BareRun {
    const [program, ...args] = this.#command(line, settings);
    const { status, stdout, stderr } = spawnSync(program!, args, {
      encoding: 'utf8',
      timeout: runTimeoutMs,
      killSignal: 'SIGKILL',
    });
    return { status, stdout, stderr };
  }

  /** Starts a line of shell inside; with `exec` in it the child is the program itself. */
  start(line: string, settings: BareSettings = {}): ChildProcess {
    const [program, ...args] = this.#command(line, settings);
    return spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #command(line: string, settings: BareSettings): string[] {
    const { cwd = '/home', user = 0, isFirst = false } = settings;
    const mounts = [...this.#mounts].map(
      ([from, to]) => `mount --rbind ${quoted(from)} ${quoted(this.at(to))}`,
    );
    const variables = { ...this.#environment, ...settings.environment };
    const assignments = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    const clean = `/usr/bin/env -i ${assignments.map(quoted).join(' ')}`;
    const inside = quoted(`cd ${quoted(cwd)} && ${line}`);
    const root = `--userspec=${user}:${user} ${quoted(this.folder)}`;
    const enter = `exec chroot ${root} ${clean} /bin/sh -c ${inside}`;
    const processes = isFirst ? ['--pid', '--fork', '--kill-child'] : [];
    const outside = [...mounts, enter].join(' && ');
    return ['unshare', ...namespaces(), ...processes, 'sh', '-c', outside];
  }

  #environmentInside(): Record<string, string> {
    const certificates = process.env.NODE_EXTRA_CA_CERTS ?? npmSetting('cafile');
    const hasCertificates = existsSync(certificates);
    if (hasCertificates) this.#copy(certificates, certificatesFile);
    const network = networkVariables.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    return {
      HOME: '/home',
      PATH: '/usr/bin:/bin',
      npm_config_registry: npmSetting('registry'),
      npm_config_prefer_offline: 'true',
      ...(hasCertificates && { NODE_EXTRA_CA_CERTS: certificatesFile }),
      ...Object.fromEntries(network),
    };
  }

  #prepareMountPoints(): void {
    for (const [from, to] of this.#mounts) {
      const target = this.at(to);
      mkdirSync(dirname(target), { recursive: true });
      if (from === process.execPath) writeFileSync(target, '');
      else for (const folder of [from, target]) mkdirSync(folder, { recursive: true });
    }
  }

  #copyProgram(from: string, to: string): void {
    this.#copy(from, to);
    for (const library of librariesOf(from)) this.#copy(library, library);
  }

  #copy(from: string, to: string): void {
    mkdirSync(dirname(this.at(to)), { recursive: true });
    copyFileSync(from, this.at(to));
  }
}

/** As a plain user one can be root in a namespace, where the system allows that. */
function namespaces(): string[] {
  return isRoot ? ['--mount'] : ['--mount', '--map-root-user'];
}

/** The shared libraries of a program, with the loader. */
function librariesOf(program: string): string[] {
  const listing = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [...listing.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1]!);
}

function npmHome(): string {
  const program = execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim();
  return dirname(dirname(realpathSync(program)));
}

/** A setting of npm as it is here; the empty text when it has none. */
function npmSetting(name: string): string {
  const text = execFileSync('npm', ['config', 'get', name], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
  return text === 'null' ? '' : text;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
