import { messageOf, ProtocolError } from '../../base/errors.ts';
import { SampleFormat } from '../sample-format.ts';

/** Makes a format of the numbers in a codec header, which came from a network. */
export function headerFormat(
  codec: string,
  shape: { rateHz: number; bits: number; channels: number },
): SampleFormat {
  try {
    return SampleFormat.parse(`${shape.rateHz}:${shape.bits}:${shape.channels}`);
  } catch (cause) {
    const reason = messageOf(cause);
    throw new ProtocolError('bad-codec-header', `the ${codec} header is wrong: ${reason}`, {
      cause,
    });
  }
}
