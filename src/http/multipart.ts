import { inSlices } from '../base/time/in-slices.ts';
import { RefusedRequestError } from './refused-request-error.ts';

/** Parts of one form; automations send a handful. */
export const maxParts = 64;
const maxHeadBytes = 4096;
const maxBoundaryLength = 70;
/** Searched at a time: at most a millisecond, whatever is in them. */
const sliceBytes = 128 * 1024;

/** A form as browsers and curl send it. */
interface MultipartForm {
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** The one file. Ownership: a part of the body. */
  readonly file: Buffer | undefined;
}

/**
 * Takes apart a form that has arrived completely.
 *
 * Failure: throws a `RefusedRequestError` that says what is wrong.
 * Source: RFC 7578; RFC 2046, 5.1.
 */
export async function readMultipart(body: Buffer, contentType: string): Promise<MultipartForm> {
  const boundary = boundaryOf(contentType);
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  const fields: [string, string][] = [];
  let file: Buffer | undefined;
  // The line feed in front of the first delimiter may be missing: it is what begins the body.
  let at = await startOf(body, delimiter);
  for (let parts = 0; ; parts += 1) {
    if (body.toString('latin1', at, at + 2) === '--') return { fields, file };
    if (parts >= maxParts) throw bad(`it has more than ${maxParts} parts`);
    const headStart = lineAfter(body, at);
    const headEnd = body.subarray(headStart, headStart + maxHeadBytes).indexOf('\r\n\r\n');
    if (headEnd < 0) throw bad('the head of a part does not end');
    const start = headStart + headEnd + 4;
    const end = await find(body, delimiter, start - 2);
    if (end < 0) throw bad('its last part is cut off');
    const { name, isFile } = disposition(body.toString('utf8', headStart, start - 4));
    const content = body.subarray(start, Math.max(start, end));
    if (!isFile) fields.push([name, content.toString()]);
    else if (file) throw bad('it has several files: send one');
    else file = content;
    at = end + delimiter.length;
  }
}

function boundaryOf(contentType: string): string {
  const [, quoted, bare] = /;\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType) ?? [];
  const boundary = quoted ?? bare;
  if (boundary === undefined || boundary.length > maxBoundaryLength) {
    throw bad('its Content-Type names no boundary');
  }
  return boundary;
}

async function startOf(body: Buffer, delimiter: Buffer): Promise<number> {
  if (body.subarray(0, delimiter.length - 2).equals(delimiter.subarray(2))) {
    return delimiter.length - 2;
  }
  const found = await find(body, delimiter, 0);
  if (found < 0) throw bad('its boundary does not occur in it');
  return found + delimiter.length;
}

/** Where the delimiter is from `from` on, negative if nowhere; in many turns if the body is long. */
async function find(body: Buffer, delimiter: Buffer, from: number): Promise<number> {
  let found = -1;
  let at = from;
  await inSlices(Math.ceil((body.length - from) / sliceBytes), () => {
    if (found >= 0) return;
    const slice = body.subarray(at, at + sliceBytes + delimiter.length - 1);
    const place = slice.indexOf(delimiter);
    if (place >= 0) found = at + place;
    at += sliceBytes;
  });
  return found;
}

/** Blanks may stand behind a delimiter. */
function lineAfter(body: Buffer, at: number): number {
  const [blank] = /^[\t ]*\r\n/.exec(body.toString('latin1', at, at + 64)) ?? [];
  if (blank === undefined) throw bad('something stands behind a boundary');
  return at + blank.length;
}

function disposition(head: string): { readonly name: string; readonly isFile: boolean } {
  const [, value = ''] = /^content-disposition:\s*form-data\s*(;[^\r\n]*)?$/im.exec(head) ?? [];
  const [, name] = /;\s*name="([^"]*)"/i.exec(value) ?? [];
  if (name === undefined) throw bad('a part has no name');
  return { name, isFile: /;\s*filename\*?=/i.test(value) };
}

function bad(fault: string): RefusedRequestError {
  return new RefusedRequestError(400, `The form cannot be read: ${fault}`);
}
