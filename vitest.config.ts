import { defineConfig } from 'vitest/config';

/** End-to-end tests that judge no audio: they do not mind each other's work. */
const systemTests = [
  'command-line',
  'container',
  'daemon',
  'doctor',
  'install-service',
  'internal-error',
  'node-versions',
  'package',
  'process',
  'trial',
].map((name) => `test/e2e/${name}.test.ts`);

/**
 * What real clients play is compared with what was fed, so nothing else may take the processors.
 * The last one looks at the interfaces of the machine, which other tests make and remove.
 */
const aloneTests = [
  'test/e2e/bit-exact.test.ts',
  'test/e2e/late-join.test.ts',
  'test/e2e/sound-servers.test.ts',
  'test/integration/doctor-mdns.test.ts',
];

/** What is asked again and again is waited for like all else: a busy machine is no fault. */
const patient = { poll: { timeout: 25_000 } };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'test/unit/**/*.test.ts',
            'test/contract/**/*.test.ts',
            'test/web/unit/*.test.ts',
          ],
          // None needs as much; a machine with many other things to do takes its time.
          testTimeout: 30_000,
          hookTimeout: 30_000,
          expect: patient,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          exclude: aloneTests,
          testTimeout: 60_000,
          expect: patient,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'system',
          include: systemTests,
          testTimeout: 180_000,
          hookTimeout: 600_000,
          maxWorkers: 3,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: [...systemTests, ...aloneTests],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'web',
          include: ['test/web/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: patient,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'alone',
          include: aloneTests,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
