import { splitCommandLine } from '../../base/children/command-line.ts';
import { findProgram } from '../../base/children/find-program.ts';
import { flagOf, numberOf } from '../stream-parameters.ts';
import { lingerMsOf } from './demand.ts';
import { pathOf } from './local-path.ts';
import { programSource } from './program-source.ts';
import { parametersOf, type SourceContext, type StreamSource } from './stream-source.ts';

const watchdogRange = { fallback: 0, min: 0, max: 86_400, unit: 'seconds' };

/**
 * Runs a program: `process:///path[?params=…][&wd_timeout=s][&log_stderr=true]`, with `on_demand=true`
 * and `linger_ms` as `Demand` does.
 */
export function createProcessSource(context: SourceContext): StreamSource {
  const { uri, logger } = context;
  const path = pathOf(context);
  const parameters = parametersOf(context);
  const program = findProgram(path);
  const args = splitCommandLine(uri.query.params ?? '');
  const watchdogMs = 1000 * numberOf(parameters, 'wd_timeout', watchdogRange);
  const isLogged = flagOf(parameters, 'log_stderr', false);
  if (program !== path) logger.notice('program found in PATH', { named: path, program });
  return programSource(
    context,
    ({ log }) => ({
      prepare: () => ({ program, args }),
      watchdogMs,
      line: (line) => {
        if (isLogged) log.foreign('info', 'program says', { line });
      },
    }),
    lingerMsOf(parameters),
  );
}
