import { messageOf } from '../base/errors.ts';
import { within } from '../base/time/within.ts';
import { type Check, type Finding, fault } from './finding.ts';

/** A name server or a disk that does not answer must not keep the other checks from running. */
const usualTimeoutMs = 10_000;

/** What one check has found. */
export interface CheckResult {
  readonly name: string;
  readonly findings: readonly Finding[];
}

/**
 * Runs the checks one after the other, as some of them measure time, and hands on each result.
 *
 * Failure: never rejects; a check that throws or takes too long is a finding of its own.
 */
export async function* runChecks(checks: readonly Check[]): AsyncGenerator<CheckResult> {
  for (const check of checks) yield { name: check.name, findings: await findingsOf(check) };
}

async function findingsOf(check: Check): Promise<readonly Finding[]> {
  const { timeoutMs = usualTimeoutMs } = check;
  const tooLate = fault(
    `the check took longer than ${timeoutMs / 1000} s and was left`,
    'see whether a disk or a name server that it needs does not answer',
  );
  try {
    return (await within(Promise.resolve(check.run()), timeoutMs)) ?? [tooLate];
  } catch (error) {
    const reason = messageOf(error).split('\n')[0];
    return [fault(`the check itself failed: ${reason}`, 'report this as a bug of zerocast')];
  }
}
