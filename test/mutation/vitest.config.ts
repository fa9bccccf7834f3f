import { defineConfig } from 'vitest/config';

/** Which tests judge a change, see `run.mjs`; those that read the source itself are left out. */
const suites: Readonly<Record<string, { readonly include: string[]; readonly exclude: string[] }>> =
  {
    unit: {
      include: ['test/unit/**/*.test.ts', 'test/contract/**/*.test.ts', 'test/web/unit/*.test.ts'],
      // A day in virtual time would take hours with every branch counted.
      exclude: ['layers', 'names', 'release', 'audio/drift'].map(
        (name) => `test/unit/${name}.test.ts`,
      ),
    },
    integration: {
      include: ['test/integration/**/*.test.ts'],
      exclude: ['test/integration/doctor-mdns.test.ts', 'test/integration/programs/**'],
    },
    process: {
      include: ['command-line', 'daemon', 'doctor', 'process'].map(
        (name) => `test/e2e/${name}.test.ts`,
      ),
      exclude: [],
    },
  };

export default defineConfig({
  plugins: [
    {
      name: 'processes',
      // Stryker asks for threads, in which signals, folders and native modules are not a test's own.
      configureVitest({ project }) {
        project.config.pool = 'forks';
      },
    },
  ],
  test: {
    ...suites[process.env.MUTATION_TESTS ?? 'unit'],
    setupFiles: ['test/mutation/children.ts'],
    // A test that fails only once has seen a busy machine, not the change.
    retry: 1,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
