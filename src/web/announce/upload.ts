import { AwayError } from '../control/control-link.ts';
import { credentials, loginReason } from '../control/login.ts';

/**
 * Posts a sound; not by `fetch`, which tells nothing of how far it is: `onPart` is told, 0 to 1.
 *
 * Failure: rejects with an `AwayError`, or with an `Error` of the form `code: what to do`.
 */
export function upload(
  path: string,
  body: Uint8Array<ArrayBuffer>,
  onPart: (part: number) => void,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    request.setRequestHeader('Content-Type', 'audio/wav');
    const shown = credentials();
    if (shown) request.setRequestHeader('Authorization', `${shown.scheme} ${shown.param}`);
    request.upload.addEventListener('progress', ({ loaded, total }) => onPart(loaded / total));
    request.addEventListener('error', () => reject(new AwayError('the connection was lost')));
    request.addEventListener('load', () => {
      if (request.status === 401) loginReason.value = 'ended';
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(new Error(faultIn(request.responseText)));
    });
    request.send(body);
  });
}

function faultIn(text: string): string {
  try {
    const { error, message } = JSON.parse(text) as { error: string; message: string };
    return `${error}: ${message}`;
  } catch {
    return text;
  }
}
