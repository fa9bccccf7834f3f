import { SourceError } from '../../base/errors.ts';
import type { SourceContext } from './stream-source.ts';

/** The absolute path of a source that has one. Failure: throws a `SourceError` when it is empty. */
export function pathOf({ uri, logger }: SourceContext): string {
  if (uri.path === '' || uri.path === '/') {
    throw new SourceError(
      'no-path',
      `${uri.scheme}://${uri.host}${uri.path} names no path: write three slashes, ` +
        `for example ${uri.scheme}:///path`,
    );
  }
  if (uri.host !== '' && uri.hostname !== 'localhost') {
    logger.warn('host in a local address is ignored: write three slashes', {
      host: uri.host,
      path: uri.path,
    });
  }
  return uri.path;
}
