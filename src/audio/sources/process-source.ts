import { splitCommandLine } from '../../base/children/command-line.ts';
import { findProgram } from '../../base/children/find-program.ts';
import type { ReadInto } from '../../base/net/adopt-socket.ts';
import { badParameter, choiceOf, flagOf, numberOf } from '../stream-parameters.ts';
import { lingerMsOf } from './demand.ts';
import { pathOf } from './local-path.ts';
import { programSource } from './program-source.ts';
import { parametersOf, type SourceContext, type StreamSource } from './stream-source.ts';
import { withoutWavHeader } from './wav-stripping.ts';

const watchdogRange = { fallback: 0, min: 0, max: 86_400, unit: 'seconds' };

/**
 * Runs a program: `process:///path[?params=…][&wd_timeout=s][&log_stderr=true][&format=raw|wav]`, with
 * `on_demand=true` and `linger_ms` as `Demand` does.
 */
export function createProcessSource(context: SourceContext): StreamSource {
  const { uri, logger, format, packed24 } = context;
  const path = pathOf(context);
  const parameters = parametersOf(context);
  const program = findProgram(path);
  const args = splitCommandLine(uri.query.params ?? '');
  const watchdogMs = 1000 * numberOf(parameters, 'wd_timeout', watchdogRange);
  const isLogged = flagOf(parameters, 'log_stderr', false);
  const isWav = choiceOf(uri, 'format', ['raw', 'wav']) === 'wav';
  if (isWav && format.bits === 24 && !packed24) {
    throw badParameter(uri, 'format', '24 bit of a WAV come in 3 bytes: write packed_s24le=true');
  }
  if (program !== path) logger.notice('program found in PATH', { named: path, program });
  return programSource(
    context,
    ({ log, restart }) => ({
      prepare: () => ({ program, args }),
      watchdogMs,
      line: (line) => {
        if (isLogged) log.foreign('info', 'program says', { line });
      },
      ...(isWav && {
        strip: (audio: ReadInto) => withoutWavHeader(audio, { format, fail: restart }),
      }),
    }),
    lingerMsOf(parameters),
  );
}
