import { SourceError } from '../../../base/errors.ts';
import { refusePrivate, UrlError } from '../../../base/net/open-url.ts';
import type { SourceContext } from '../stream-source.ts';
import { addressRulesOf, faultText } from '../url-access.ts';
import { radioAddressOf } from './radio-address.ts';

/**
 * Looks at where the station is before anything listens, so that a controller learns that it may not be
 * asked; it is looked at again with each connection.
 *
 * Failure: rejects with a `SourceError`.
 */
export async function prepareRadio(context: SourceContext): Promise<SourceContext> {
  try {
    await refusePrivate(radioAddressOf(context).url, addressRulesOf(context));
  } catch (cause) {
    if (!(cause instanceof UrlError)) throw cause;
    throw new SourceError(cause.code, `the station cannot be played: ${faultText(cause)}`, {
      cause,
    });
  }
  return context;
}
