// Builds the web page into a folder: what the browser loads, with names that change with the content.
// Run by "npm run build"; alone: node scripts/build-web.mjs FOLDER.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { build } from 'vite';

const root = dirname(import.meta.dirname);
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Returns the files that went into it, from the root of the project. Failure: throws on faulty types. */
export async function buildWeb(folder) {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [compiler, '-p', 'src/web'], { cwd: root, stdio: 'inherit' });
  const files = new Set();
  await build({
    root: join(root, 'src/web'),
    // Relative, so that it works below any path of a proxy.
    base: './',
    configFile: false,
    logLevel: 'warn',
    define: { pageVersion: JSON.stringify(manifest.version) },
    esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: 'es2022',
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
    plugins: [
      {
        name: 'inputs',
        generateBundle() {
          for (const id of this.getModuleIds())
            files.add(relative(root, id.replace(/^\0|\?.*$/g, '')));
        },
      },
    ],
  });
  return [...files];
}

if (process.argv[1] === import.meta.filename) await buildWeb(process.argv[2]);
