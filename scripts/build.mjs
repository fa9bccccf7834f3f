// Builds the server into dist: its program and its library as a bundle with all packages in it that
// are not installed with a release, the declarations that programs which embed it see, the web page,
// and the licences of what is bundled. Run by "npm run build".
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { buildWeb } from './build-web.mjs';

const root = dirname(import.meta.dirname);
const dist = join(root, 'dist');
const compiler = join(root, 'node_modules/typescript/bin/tsc');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** What is started or imported by its path: program, library, and what the installation needs. */
const entryPoints = [
  'main',
  'index',
  'base/native/addon-files',
  'base/native/native-addon',
  'audio/encoders/flac-thread-program',
];

/** Of packages that leave the text out: that of the same author, and what is compiled into them. */
const knownLicenses = {
  '@wasm-audio-decoders/common': ['node_modules/simple-yenc/LICENSE'],
  'opus-decoder': ['node_modules/simple-yenc/LICENSE', 'scripts/libopus-license.txt'],
};

rmSync(dist, { recursive: true, force: true });
emitDeclarations();
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: entryPoints.map((name) => `src/${name}.ts`),
  outdir: 'dist',
  outbase: 'src',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: `node${manifest.engines.node.replace(/^>=/, '')}`,
  external: Object.keys(manifest.dependencies),
  // CommonJS packages ask for the modules of Node by it.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
  chunkNames: 'chunks/[name]-[hash]',
  // The engine keeps the text: 1 MB less. Lines stay short for those who print them.
  minifyWhitespace: true,
  lineLimit: 100,
  sourcemap: 'linked',
  sourcesContent: false,
  metafile: true,
  logLevel: 'warning',
});
const bundled = [...Object.keys(metafile.inputs), ...(await buildWeb(join(dist, 'web')))];
const licenses = licensesOf(bundled);
for (const folder of [dist, join(dist, 'web')]) {
  writeFileSync(join(folder, 'licenses.txt'), licenses);
}

/** Checks the types, and keeps the declarations that those of the library lead to. */
function emitDeclarations() {
  const folder = mkdtempSync(join(tmpdir(), 'zerocast-build-'));
  try {
    const args = [compiler, '-p', 'tsconfig.build.json', '--outDir', folder];
    execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
    const kept = new Set(['index.d.ts']);
    for (const file of kept) {
      const text = readFileSync(join(folder, file), 'utf8');
      for (const [, path] of text.matchAll(/'(\.[^']+)\.[jt]s'/g)) {
        kept.add(join(dirname(file), `${path}.d.ts`));
      }
      cpSync(join(folder, file), join(dist, file));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Failure: throws when a package comes without its licence, and none is known to be its. */
function licensesOf(inputs) {
  const folders = new Set(
    inputs.map((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]),
  );
  folders.delete(undefined);
  return [...folders]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(
        readFileSync(join(root, folder, 'package.json'), 'utf8'),
      );
      const file = readdirSync(join(root, folder)).find((entry) =>
        /^(?:un)?licen[cs]e/i.test(entry),
      );
      const paths = file ? [join(folder, file)] : knownLicenses[name];
      if (!paths) throw new Error(`${name} has no file with its licence`);
      const texts = paths.map((path) => readFileSync(join(root, path), 'utf8').trim());
      return `${name} ${version} (${license})\n\n${texts.join('\n\n')}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}
