import { getSystemErrorName } from 'node:util';
import type { ZeroCopyProbe } from '../base/native/native-addon.ts';
import type { SystemContext } from './context.ts';
import { type Check, type Finding, note, ok, warning } from './finding.ts';

const usesPlain = 'audio is then sent plainly, which works as well';

/** Sends a few pages without copying, to see what this kernel makes of it. */
export function zeroCopyCheck({ native }: SystemContext, isWanted: boolean): Check {
  return {
    name: 'zero-copy',
    run: () => {
      const { level, text, mend } =
        'reason' in native ? noAddon : probed(native.addon.sendZeroCopyProbe?.());
      // What the user did not ask for is worth a note at most.
      if (isWanted) return [{ level, text, ...(mend !== undefined && { mend }) }];
      return [note(`${text} (zerocopy is off in [stream])`, level === 'ok' ? undefined : mend)];
    },
  };
}

const noAddon = warning(
  'nothing is sent without copying, because there is no native addon',
  `see "native addon"; ${usesPlain}`,
);

/** What the probe of the addon says; without one this is no Linux. */
export function probed(probe: ZeroCopyProbe | undefined): Finding {
  if (!probe)
    return warning('zero-copy sending is for Linux only', `set zerocopy = false; ${usesPlain}`);
  if (probe.step === 'done') return completed(probe.copied);
  const code = probe.error > 0 ? getSystemErrorName(-probe.error) : 'no error';
  const [reason, mend] = reasons.get(`${probe.step} ${code}`) ?? usualReason;
  return warning(`a zero-copy send failed at step "${probe.step}" with ${code}: ${reason}`, mend);
}

function completed(copied: boolean): Finding {
  const code = copied
    ? 'SO_EE_CODE_ZEROCOPY_COPIED, as is right over loopback: other machines get it without a copy'
    : '0, so that nothing was copied';
  return ok(`a zero-copy send was completed with code ${code}`);
}

const room =
  'raise "sysctl net.core.optmem_max" (131072 is plenty) and the limit of locked memory ' +
  '(ulimit -l, or LimitMEMLOCK= of the unit)';
const seccomp: readonly [string, string] = [
  'a filter of system calls forbids it, as some containers do',
  `allow setsockopt and sendmsg in the seccomp profile; ${usesPlain}`,
];
const usualReason: readonly [string, string] = [
  'the system refuses',
  `set zerocopy = false in [stream]; ${usesPlain}`,
];

const reasons: ReadonlyMap<string, readonly [reason: string, mend: string]> = new Map([
  ['allow ENOPROTOOPT', ['the kernel is too old', `use Linux 4.14 or newer; ${usesPlain}`]],
  ['allow ENOTSUPP', ['this kind of socket cannot do it', `set zerocopy = false; ${usesPlain}`]],
  ['allow EPERM', seccomp],
  ['allow ENOSYS', seccomp],
  ['send EPERM', seccomp],
  ['send ENOSYS', seccomp],
  ['send ENOBUFS', ['the kernel has no room to pin memory', room]],
  ['send ENOMEM', ['there is no memory', 'give the machine or container more memory']],
  ['complete ETIMEDOUT', ['its completion did not come', `set zerocopy = false; ${usesPlain}`]],
]);
