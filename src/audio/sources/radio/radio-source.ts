import { findProgram } from '../../../base/children/find-program.ts';
import { codeOf, SourceError } from '../../../base/errors.ts';
import { decoderProgram } from '../decoder-arguments.ts';
import { lingerMsOf } from '../demand.ts';
import { parametersOf, type SourceContext, type StreamSource } from '../stream-source.ts';
import { radioAddressOf } from './radio-address.ts';
import { RadioPlayer } from './radio-player.ts';

/**
 * Plays an internet radio station, or any sound that is had by HTTP: `radio:///?url=…[&format=…]
 * [&prebuffer_ms=…][&title=icy|off][&user_agent=…][&on_demand=…][&linger_ms=…]`.
 */
export function createRadioSource(context: SourceContext): StreamSource {
  const parameters = parametersOf(context);
  const lingerMs = lingerMsOf(parameters, true);
  return new RadioPlayer(context, {
    address: radioAddressOf(context),
    program: findDecoder(),
    lingerMs,
    giveBackPlace: context.children?.take(),
  });
}

function findDecoder(): string {
  try {
    return findProgram(decoderProgram);
  } catch (cause) {
    if (codeOf(cause) !== 'no-program') throw cause;
    throw new SourceError('no-program', 'a station is decoded by ffmpeg, which is not installed', {
      cause,
    });
  }
}
