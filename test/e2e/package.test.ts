import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { packageVersion } from '../../src/base/version.ts';
import { BareRoot, type BareRun } from '../support/bare-root.ts';
import { OutputLog } from '../support/output-log.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { freePort } from '../support/server-process.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const archiveName = `zerocast-${packageVersion}.tgz`;
/** Compiling and installing take this long on a busy machine. */
const setupTimeoutMs = 600_000;
const isPossible = BareRoot.isPossible() || process.env.CI === 'true';

/** Everything that a release may hold. */
const allowed = [
  /^(LICENSE|README\.md|CHANGELOG\.md|package\.json|binding\.gyp)$/,
  /^docs\/[\w-]+\.md$/,
  /^dist\/([\w-]+\/)*[\w-]+\.(js|js\.map|d\.ts)$/,
  /^dist\/(web\/)?licenses\.txt$/,
  /^dist\/web\/(index\.html|assets\/[\w-]+\.(js|css|svg))$/,
  /^dist\/prebuilt\/linux-(x64|arm64)\/zerocast\.node$/,
  /^native\/(binding|core(\/(capture|dsp))?)\/[\w-]+\.(cpp|hpp)$/,
  /^config\/[\w-]+\.(conf|service)$/,
  /^scripts\/install-addon\.mjs$/,
];

let scratch: string;
let bare: BareRoot;

beforeAll(() => {
  scratch = makeScratchFolder();
  execFileSync(join(root, 'scripts/package'), [scratch], { stdio: ['ignore', 'pipe', 'inherit'] });
  execFileSync('tar', ['-xzf', join(scratch, archiveName), '-C', scratch]);
}, setupTimeoutMs);

afterAll(() => removeScratchFolder(scratch));

const unpacked = () => join(scratch, 'package');
const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true, encoding: 'utf8' })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));

/** A busy machine may stall a server that just starts; every other fault of the audio counts. */
const heard = { codec: 'flac', chunks: expect.toSatisfy((count) => count > 10), decodeErrors: 0 };

/** What the probe says at its end. */
function lastReport({ stdout, stderr }: BareRun): unknown {
  const line = stdout.trimEnd().split('\n').at(-1);
  if (!line?.startsWith('{')) throw new Error(`the probe printed no report:\n${stdout}${stderr}`);
  return JSON.parse(line);
}

describe('the release archive', () => {
  it('holds what runs and nothing else', () => {
    const files = filesOf(unpacked());
    expect(files.filter((file) => !allowed.some((pattern) => pattern.test(file)))).toEqual([]);
    expect(files).toContain('dist/main.js');
    expect(files).toContain('dist/web/index.html');
    expect(files).toContain(`dist/prebuilt/linux-${process.arch}/zerocast.node`);
  });

  it('holds every file that its modules and its manifest name', () => {
    const { dependencies } = JSON.parse(readFileSync(join(unpacked(), 'package.json'), 'utf8'));
    // What only builds the addon must not be needed by a server that runs.
    const { 'node-gyp': _, 'node-addon-api': __, ...atRunTime } = dependencies;
    const modules = filesOf(unpacked()).filter((file) => /^dist\/.*\.(js|d\.ts)$/.test(file));
    const faults = modules.flatMap((file) =>
      importsOf(file)
        .filter((name) => !resolves(file, name, atRunTime))
        .map((name) => `${file}: ${name}`),
    );
    expect(faults).toEqual([]);
    expect(modules.length).toBeGreaterThan(60);
  });

  it('holds the documents that its README links to', () => {
    const readme = readFileSync(join(unpacked(), 'README.md'), 'utf8');
    const linked = [...readme.matchAll(/\]\((docs\/[\w-]+\.md)/g)].map(([, file = '']) => file);
    const held = filesOf(unpacked()).filter((file) => file.startsWith('docs/'));
    expect([...new Set(linked)].sort()).toEqual(held.sort());
    expect(held.length).toBeGreaterThan(10);
  });

  it('has no comment that points to a file which is not there', () => {
    const modules = filesOf(unpacked()).filter((file) => file.endsWith('.js'));
    const targets = modules.flatMap((file) => {
      const [, target] = /sourceMappingURL=(.+)/.exec(textOf(file)) ?? [];
      return target === undefined ? [] : [join(file, '..', target)];
    });
    expect(targets.filter((file) => !existsSync(join(unpacked(), file)))).toEqual([]);
    expect(targets.length).toBeGreaterThan(10);
  });

  it('holds the licences of the packages that its program is made of', () => {
    const sources = filesOf(unpacked())
      .filter((file) => file.endsWith('.js.map'))
      .flatMap((file): string[] => JSON.parse(textOf(file)).sources);
    const packages = new Set(
      sources.flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []),
    );
    const licences = textOf('dist/licenses.txt').split(/^-{80}$/m);
    const named = licences.map((text) => /^\s*(\S+) \d[\w.-]* \(.+\)\n\n./.exec(text)?.[1]);
    const signals = ['preact', '@preact/signals', '@preact/signals-core'];
    const opus = [
      'opus-decoder',
      '@wasm-audio-decoders/common',
      '@eshaz/web-worker',
      'simple-yenc',
    ];
    const ofThePage = [...signals, ...opus];
    expect([...new Set(named)].sort()).toEqual([...packages, ...ofThePage].sort());
    expect(named).toContain('ws');
  });
});

function textOf(file: string): string {
  return readFileSync(join(unpacked(), file), 'utf8');
}

function importsOf(file: string): string[] {
  const pattern = /(?:\bfrom |\bimport |\bimport\(|\b__require\()['"]([\w@./:-]+)['"]/g;
  return [...textOf(file).matchAll(pattern)].map((match) => match[1]!);
}

/** What bundled packages do without, unless a user has installed it. */
const optional: ReadonlySet<string> = new Set(['bufferutil', 'supports-color', 'utf-8-validate']);

function resolves(file: string, name: string, dependencies: Record<string, string>): boolean {
  if (isBuiltin(name) || optional.has(name)) return true;
  if (!name.startsWith('.')) {
    return Object.keys(dependencies).some(
      (known) => name === known || name.startsWith(`${known}/`),
    );
  }
  // The declarations keep the names of the sources, which the compiler looks for as declarations.
  const target = join(unpacked(), file, '..', name).replace(/(?<!\.d)\.ts$/, '.d.ts');
  return existsSync(target);
}

describe.runIf(isPossible)('a machine without compiler, Python and headers', () => {
  beforeAll(() => {
    bare = new BareRoot();
    copyFileSync(join(scratch, archiveName), bare.at('/home/zerocast.tgz'));
    mkdirSync(bare.at('/home/app'));
    expect(bare.run('npm install ../zerocast.tgz', { cwd: '/home/app' })).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('added'),
    });
  }, setupTimeoutMs);

  afterAll(() => bare.remove());

  /** Runs a server inside and lets it be probed; the result is what both have said. */
  async function play(
    program: string,
    cwd: string,
    source = 'tone:///?name=Tone',
  ): Promise<{ log: string; probe: unknown }> {
    const port = await freePort();
    const child = bare.start(
      `exec ${program} --server.datadir=/tmp --server.mdns_enabled=false --http.enabled=false ` +
        `--tcp-control.enabled=false --tcp-streaming.port=${port} ` +
        `--stream.source='${source}'`,
      { cwd },
    );
    onTestFinished(() => void child.kill('SIGKILL'));
    const ended = once(child, 'close');
    const log = new OutputLog('the installed server', child);
    await log.waitFor(/ready|listening/i, 60_000);
    const probe = bare.run(`${program} probe 127.0.0.1:${port} --seconds 3 --json`, { cwd });
    child.kill('SIGTERM');
    expect(await ended, log.text).toEqual([0, null]);
    return { log: log.text, probe: lastReport(probe) };
  }

  it('has none of them indeed', () => {
    expect(readdirSync(bare.at('/usr/bin')).sort()).toEqual(['env', 'node', 'npm', 'npx']);
    expect(readdirSync(bare.at('/bin'))).toEqual(['sh']);
    expect(existsSync(bare.at('/usr/include'))).toBe(false);
  });

  it('has the command after "npm install" of the archive', () => {
    const { status, stdout } = bare.run('npx --no-install zerocast --version', {
      cwd: '/home/app',
    });
    expect(status).toBe(0);
    expect(stdout).toContain(`zerocast v${packageVersion}`);
  });

  it('plays, with the prebuilt addon', async () => {
    const { log, probe } = await play('node_modules/.bin/zerocast', '/home/app');
    expect(log).not.toContain('no native addon');
    expect(probe).toMatchObject({ ...heard, done: true });
  });

  it('is a library for a program', () => {
    const program = `
      import { createServer } from 'zerocast';
      const server = createServer({
        server: { datadir: '/tmp', mdnsEnabled: false },
        stream: { source: ['tone:///?name=Tone'] },
        tcpStreaming: { port: 0 },
        tcpControl: { enabled: false },
        http: { enabled: false },
      });
      await server.listen();
      console.log('streams', server.streams.length);
      await server.close();`;
    writeFileSync(bare.at('/home/app/program.mjs'), program);
    const { stdout, stderr } = bare.run('node program.mjs', { cwd: '/home/app' });
    expect(stdout, stderr).toContain('streams 1');
  });

  it('plays by JavaScript where the prebuilt addon does not fit, and says why', async () => {
    const copy = '/home/other';
    bare.run("node -e \"fs.cpSync('app', 'other', { recursive: true, verbatimSymlinks: true })\"");
    const installed = `${copy}/node_modules/zerocast`;
    const tag = `linux-${process.arch}`;
    writeFileSync(bare.at(`${installed}/dist/prebuilt/${tag}/zerocast.node`), 'of another system');
    const refused = bare.run('node scripts/install-addon.mjs', { cwd: installed });
    expect(refused.status).toBe(0);
    expect(refused.stdout).toMatch(
      /^zerocast: native addon not built \(the prebuilt one: it cannot be loaded: .*; no Node headers in .*\); the JavaScript path is used\n$/,
    );
    rmSync(bare.at(`${installed}/dist/prebuilt`), { recursive: true });
    const { log, probe } = await play('node_modules/.bin/zerocast', copy);
    expect(log).toMatch(/no native addon.*it is not built/);
    expect(probe).toMatchObject({ ...heard, done: true });
    // What takes long is encoded in a thread, whose program is another file.
    const dear = 'tone:///?name=Tone&codec=flac:8&sampleformat=48000:24:2';
    const inThread = await play('node_modules/.bin/zerocast', copy, dear);
    expect(inThread.probe, inThread.log).toMatchObject({ ...heard, done: true });
  });

  it('has the command after a global installation, and nothing after its removal', () => {
    const install = bare.run('npm install --global --prefix /opt/tools ./zerocast.tgz');
    expect(install.status, install.stderr).toBe(0);
    const { stdout } = bare.run('/opt/tools/bin/zerocast --version', { cwd: '/' });
    expect(stdout).toContain(`zerocast v${packageVersion}`);
    const removal = bare.run('npm uninstall --global --prefix /opt/tools zerocast');
    expect(removal.status, removal.stderr).toBe(0);
    expect(filesOf(bare.at('/opt/tools'))).toEqual([]);
    expect(readdirSync(bare.at('/opt/tools/bin'))).toEqual([]);
  });
});

describe('a TypeScript program that uses the release', () => {
  it('finds the types of everything, also in strict mode', () => {
    const consumer = join(scratch, 'consumer');
    mkdirSync(join(consumer, 'node_modules'), { recursive: true });
    symlinkSync(unpacked(), join(consumer, 'node_modules/zerocast'));
    symlinkSync(join(root, 'node_modules/@types'), join(consumer, 'node_modules/@types'));
    writeFileSync(join(consumer, 'package.json'), '{ "type": "module" }');
    writeFileSync(
      join(consumer, 'program.ts'),
      `import { createServer, type ServerOptions, type ServerPorts, ConfigError } from 'zerocast';
      const options: ServerOptions = { stream: { codec: 'pcm' }, tcpStreaming: { port: 0 } };
      const server = createServer(options);
      server.on('clientConnected', ({ id }) => id.toUpperCase());
      // @ts-expect-error there is no such event
      server.on('clientExploded', () => {});
      await server.listen();
      export const ports: ServerPorts = server.ports;
      export const fault = new ConfigError('code', 'sentence');
      `,
    );
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const options = '--noEmit --strict --target es2023 --module nodenext --types node'.split(' ');
    const { status, stdout } = spawnSync(process.execPath, [compiler, ...options, 'program.ts'], {
      cwd: consumer,
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });
});
