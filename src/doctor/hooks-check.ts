import { findProgram } from '../base/children/find-program.ts';
import { parseHookLine } from '../config/hook-line.ts';
import type { DoctorContext } from './context.ts';
import { type Check, type Finding, fault, faultOf, note, ok } from './finding.ts';
import { refusalOf } from './server-user.ts';

/** The programs of `[hooks]`; its addresses are not asked, as they would switch something. */
export function hooksCheck(context: DoctorContext): Check {
  const { onPlaying, onIdle } = context.config.hooks;
  const lines = [...onPlaying, ...onIdle];
  return {
    name: 'hooks',
    run: () => {
      if (lines.length === 0) return [note('nothing is run when something plays')];
      const findings = lines.flatMap((line) => checkLine(line, context));
      return findings.length > 0 ? findings : [ok(`${lines.length} hooks can be run`)];
    },
  };
}

function checkLine(text: string, { serverUser }: DoctorContext): readonly Finding[] {
  const target = parseHookLine(text)?.target;
  if (target?.kind !== 'program') return [];
  try {
    const program = findProgram(target.path);
    const refusal = refusalOf(serverUser, program, 'execute');
    return refusal === undefined ? [] : [fault(refusal, `chmod 755 ${program}`)];
  } catch (error) {
    return [faultOf(error, 'correct this line in [hooks]')];
  }
}
