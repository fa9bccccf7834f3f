import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    readonly mode: 'dry-run' | 'mutant';
    readonly activeMutant: string;
  }
}

/** Programs that a test starts have the change as well. Source: the head of instrumented files. */
if (inject('mode') === 'mutant') process.env.__STRYKER_ACTIVE_MUTANT__ = inject('activeMutant');
