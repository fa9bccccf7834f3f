import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AnnouncementDesk } from '../announcements/announcement-desk.ts';
import { membersOfQuery } from '../announcements/announcement-request.ts';
import type { AnnouncementStatus } from '../announcements/announcements.ts';
import { messageOf, RpcError, ZerocastError } from '../base/errors.ts';
import { isObject, type JsonObject } from '../base/files/json-fields.ts';
import { parseJson } from '../base/foreign-text.ts';
import { answer } from './answer.ts';
import type { BodyReader } from './body-reader.ts';
import type { Exchange } from './exchange.ts';
import type { HttpLogin } from './http-login.ts';
import { readMultipart } from './multipart.ts';
import type { OriginCheck } from './origin-check.ts';
import { RefusedRequestError } from './refused-request-error.ts';

const permission = 'Announce.Play';
/** Parameters, which are not a sound: reading more would keep the event loop for long. */
const maxTextBytes = 128 * 1024;

/** What became of a request, by the code of its error; others are 400. */
const statuses: Readonly<Record<string, number>> = {
  'unknown-target': 404,
  'unknown-clip': 404,
  'ambiguous-target': 409,
  'nobody-listens': 409,
  'queue-full': 409,
  'not-allowed': 403,
  'clip-too-long': 413,
  'clip-too-large': 413,
  'bad-clip': 415,
  'decoder-missing': 501,
  'no-speech': 501,
  'fetch-failed': 502,
  'speech-failed': 502,
  busy: 503,
  closing: 503,
};

export interface AnnounceRouteOptions {
  readonly desk: () => Promise<AnnouncementDesk>;
  readonly login: HttpLogin;
  readonly origins: OriginCheck;
  /** Of uploads. */
  readonly bodies: BodyReader;
}

/**
 * `POST /announce`: the parameters of `Announce.Play` as JSON, as the query of the address, or as a form,
 * which may bring a sound file. With `wait` it is answered when the announcement has been heard.
 */
export async function announce(
  { request, response, target }: Exchange,
  { desk, login, origins, bodies }: AnnounceRouteOptions,
): Promise<void> {
  origins.check(request);
  if (!(await login.required(request)).permits(permission)) {
    throw new RefusedRequestError(403, `Forbidden: the permission "${permission}" is missing`);
  }
  const query = new URLSearchParams(target.query);
  const wait = query.get('wait');
  query.delete('wait');
  const send = (status: number, body: object) =>
    answer(response, status, {
      body: JSON.stringify(body),
      type: 'application/json',
      headers: { 'Cache-Control': 'no-store', ...origins.headersFor(request) },
    });
  try {
    const accepted = await accept({ request, query }, { desk, bodies });
    if (wait === null || /^(?:0|false|no|off)$/i.test(wait)) return send(202, accepted);
    const heard = await whileConnected(response, (await desk()).heard(accepted.id));
    send(200, heard ?? accepted);
  } catch (error) {
    if (error instanceof RpcError) send(400, { error: 'bad-parameter', message: error.data });
    else if (error instanceof ZerocastError && !(error instanceof RefusedRequestError)) {
      send(statuses[error.code] ?? 400, { error: error.code, message: error.message });
    } else throw error;
  }
}

/** What was uploaded is not kept until it has been heard. */
async function accept(
  { request, query }: { readonly request: IncomingMessage; readonly query: URLSearchParams },
  { desk, bodies }: Pick<AnnounceRouteOptions, 'desk' | 'bodies'>,
): Promise<AnnouncementStatus> {
  const { members, upload } = await readBody(request, query, bodies);
  return (await desk()).play(members, upload);
}

/** Nothing is sent for as long as it takes: the connection shall not count as stalled. */
async function whileConnected<T>({ socket }: ServerResponse, waiting: Promise<T>): Promise<T> {
  const { timeout = 0 } = socket ?? {};
  socket?.setTimeout(0);
  try {
    return await waiting;
  } finally {
    socket?.setTimeout(timeout);
  }
}

async function readBody(
  request: IncomingMessage,
  query: URLSearchParams,
  bodies: BodyReader,
): Promise<{ readonly members: JsonObject; readonly upload?: Buffer | undefined }> {
  const { 'content-type': type = '' } = request.headers;
  const body = await bodies.readBytes(request);
  if (/^multipart\/form-data\b/i.test(type)) {
    const { fields, file } = await readMultipart(body, type);
    if (fields.reduce((sum, [, value]) => sum + value.length, 0) > maxTextBytes) throw tooLong();
    for (const [name, value] of fields) query.append(name, value);
    return { members: membersOfQuery(query), upload: file };
  }
  const isSound = /^(?:audio\/|application\/(?:octet-stream|ogg)\b)/i.test(type);
  if (isSound) return { members: membersOfQuery(query), upload: body };
  if (body.length > maxTextBytes) throw tooLong();
  const text = body.toString().trim();
  if (/^\{/.test(text)) return { members: { ...membersOfQuery(query), ...jsonOf(text) } };
  for (const [name, value] of new URLSearchParams(text)) query.append(name, value);
  return { members: membersOfQuery(query) };
}

function tooLong(): RefusedRequestError {
  return new RefusedRequestError(
    413,
    `The parameters are longer than ${maxTextBytes} bytes: send a sound as a file in a form, ` +
      'or by itself, with its Content-Type',
  );
}

function jsonOf(text: string): JsonObject {
  let members: unknown;
  try {
    members = parseJson(text);
  } catch (error) {
    throw new RefusedRequestError(400, `The body is no JSON: ${messageOf(error)}`);
  }
  if (!isObject(members)) throw new RefusedRequestError(400, 'The body is no JSON object');
  return members;
}
