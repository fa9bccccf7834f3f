import { ProtocolError } from '../base/errors.ts';
import { cutText, parseJson } from '../base/foreign-text.ts';
import { baseHeaderBytes, baseOffset, messageType, readTimeUs, writeTimeUs } from './layout.ts';

/**
 * Longer strings in a Hello are cut, as they only serve for display; but a longer `ID` or `MAC` is
 * refused: two players whose ids differ at the end only must not become one.
 */
export const maxHelloTextLength = 128;
/** Longer credentials count as none: a part of them would be something else. */
export const maxAuthTextLength = 8192;

/** What a peer shows to log in. Source: protocol reference, 13. */
export interface Credentials {
  /** `Basic`, `Plain` or `Bearer`, in any case. */
  readonly scheme: string;
  readonly param: string;
}

/** What a server that takes its streams from another one wants of it: a member `Edge` of our own. */
export interface EdgeWish {
  /** Of the edge. */
  readonly name: string;
  /** Empty: only the facts are wanted. */
  readonly stream: string;
  /** It has listeners; otherwise the codec header is enough for now. */
  readonly isListening: boolean;
}

/** What an origin tells its edges: a member `Origin` of our own. */
export interface OriginFacts {
  /** The same wherever the time is the same. */
  readonly timeline: string;
  readonly streams: readonly { readonly id: string; readonly isPlaying: boolean }[];
  /** Where the time is told by UDP, to who knows the key; absent: nowhere. */
  readonly time?: { readonly port: number; readonly key: string };
}

/** What a client says of itself. Source: protocol reference, 3.1. */
export interface Hello {
  readonly mac: string;
  readonly hostName: string;
  readonly version: string;
  readonly clientName: string;
  readonly os: string;
  readonly arch: string;
  readonly instance: number;
  readonly id: string;
  readonly protocolVersion: number;
  /** It only looks, and wants to be forgotten when it leaves: a member `Visitor` of our own. */
  readonly isVisitor?: boolean;
  readonly edge?: EdgeWish;
  /** Secret: neither logged nor remembered. */
  readonly auth?: Credentials;
}

export interface ServerSettings {
  /** Capture-to-speaker delay, milliseconds. */
  readonly bufferMs: number;
  readonly latencyMs: number;
  readonly muted: boolean;
  /** Percent, 0..100. */
  readonly volume: number;
  readonly origin?: OriginFacts | undefined;
}

/** Why a Hello was refused. Source: protocol reference, 3.7. */
export interface Refusal {
  readonly code: number;
  readonly name: string;
  readonly detail: string;
}

/** The state of a client's own mixer. */
export interface ClientInfo {
  readonly volume: number;
  readonly muted: boolean;
}

/** The id under which a client is known: several instances on one machine differ by a suffix. */
export function clientIdOf(hello: Hello): string {
  const id = hello.id || hello.mac;
  return hello.instance === 1 ? id : `${id}#${hello.instance}`;
}

/**
 * Reads a Hello leniently: what is missing becomes empty.
 *
 * Failure: a `ProtocolError` for broken JSON, and for an `ID` or `MAC` that is too long.
 */
export function decodeHello(body: Buffer): Hello {
  const json = decodeJsonObject('Hello', body);
  const mac = idOf('MAC', json.MAC);
  const auth = authOf(json.Auth);
  const edge = edgeOf(json.Edge);
  return {
    mac,
    hostName: textOf(json.HostName),
    version: textOf(json.Version),
    clientName: textOf(json.ClientName),
    os: textOf(json.OS),
    arch: textOf(json.Arch),
    instance: integerOf(json.Instance, 1),
    id: idOf('ID', json.ID) || mac,
    protocolVersion: integerOf(json.SnapStreamProtocolVersion, 1),
    ...(json.Visitor === true && { isVisitor: true }),
    ...(edge && { edge }),
    ...(auth && { auth }),
  };
}

export function decodeClientInfo(body: Buffer): ClientInfo {
  const json = decodeJsonObject('Client Info', body);
  const volume = integerOf(json.volume, 100);
  return { volume: Math.max(0, Math.min(100, volume)), muted: json.muted === true };
}

export function encodeHello(hello: Hello, id: number): Buffer {
  const json = {
    MAC: hello.mac,
    HostName: hello.hostName,
    Version: hello.version,
    ClientName: hello.clientName,
    OS: hello.os,
    Arch: hello.arch,
    Instance: hello.instance,
    ID: hello.id,
    SnapStreamProtocolVersion: hello.protocolVersion,
    Visitor: hello.isVisitor,
    Edge: hello.edge,
    Auth: hello.auth,
  };
  return encodeJsonMessage({ type: messageType.hello, id }, json);
}

export function encodeServerSettings(settings: ServerSettings, refersTo: number): Buffer {
  const json = {
    bufferMs: settings.bufferMs,
    latency: settings.latencyMs,
    muted: settings.muted,
    volume: settings.volume,
    Origin: settings.origin,
  };
  return encodeJsonMessage({ type: messageType.serverSettings, refersTo }, json);
}

export function decodeServerSettings(body: Buffer): ServerSettings {
  const json = decodeJsonObject('Server Settings', body);
  return {
    bufferMs: integerOf(json.bufferMs, 0),
    latencyMs: integerOf(json.latency, 0),
    muted: json.muted === true,
    volume: integerOf(json.volume, 100),
    origin: originOf(json.Origin),
  };
}

/** The state of the own mixer of a client. */
export function encodeClientInfo(info: ClientInfo): Buffer {
  return encodeJsonMessage({ type: messageType.clientInfo }, info);
}

/** The answer to a Hello that is refused. */
export function encodeRefusal({ code, name, detail }: Refusal, refersTo: number): Buffer {
  const texts = [Buffer.from(name), Buffer.from(detail)];
  const bodyBytes = texts.reduce((sum, { length }) => sum + 4 + length, 4);
  const message = newMessage({ type: messageType.error, refersTo }, bodyBytes);
  let offset = message.writeUInt32LE(code, baseHeaderBytes);
  for (const text of texts) {
    offset = message.writeUInt32LE(text.length, offset);
    offset += text.copy(message, offset);
  }
  return message;
}

export function decodeRefusal(body: Buffer): Refusal {
  if (body.length < 4) throw new ProtocolError('bad-error', 'an Error has 4 bytes or more');
  const name = readBlock('Error', body, 4);
  const detail = readBlock('Error', body, 8 + name.length);
  return { code: body.readUInt32LE(0), name: name.toString(), detail: detail.toString() };
}

export function encodeCodecHeader(codec: string, payload: Uint8Array): Buffer {
  const name = Buffer.from(codec);
  const message = newMessage({ type: messageType.codecHeader }, 8 + name.length + payload.length);
  let offset = message.writeUInt32LE(name.length, baseHeaderBytes);
  offset += name.copy(message, offset);
  offset = message.writeUInt32LE(payload.length, offset);
  message.set(payload, offset);
  return message;
}

export function decodeCodecHeader(body: Buffer): {
  readonly codec: string;
  readonly payload: Buffer;
} {
  const name = readBlock('Codec Header', body, 0);
  const payload = readBlock('Codec Header', body, 4 + name.length);
  return { codec: name.toString(), payload };
}

export function encodeTimeReply(reply: {
  readonly requestId: number;
  /** Server clock when the request was read, microseconds. */
  readonly receivedUs: number;
  /** `receivedUs` minus the client's `sent`; may be negative. */
  readonly latencyUs: number;
}): Buffer {
  const { requestId } = reply;
  const message = newMessage({ type: messageType.time, id: requestId, refersTo: requestId }, 8);
  writeTimeUs(message, baseOffset.receivedSec, reply.receivedUs);
  writeTimeUs(message, baseHeaderBytes, reply.latencyUs);
  return message;
}

export function encodeTimeRequest(id: number): Buffer {
  return newMessage({ type: messageType.time, id }, 8);
}

/** The `latency` of a Time message, microseconds. */
export function decodeTimeLatencyUs(body: Buffer): number {
  if (body.length < 8) throw new ProtocolError('bad-time', 'a Time body has 8 bytes');
  return readTimeUs(body, 0);
}

export function decodeWireChunk(body: Buffer): {
  readonly timestampUs: number;
  readonly payload: Buffer;
} {
  if (body.length < 12) throw new ProtocolError('bad-chunk', 'a Wire Chunk has 12 bytes or more');
  return { timestampUs: readTimeUs(body, 0), payload: readBlock('Wire Chunk', body, 8) };
}

/** Writes the sender's clock, right before the message is sent. Source: protocol reference, 6.2. */
export function stampSent(message: Buffer, nowUs: number): void {
  writeTimeUs(message, baseOffset.sentSec, nowUs);
}

interface MessageHead {
  readonly type: number;
  readonly id?: number;
  readonly refersTo?: number;
}

function newMessage(head: MessageHead, bodyBytes: number): Buffer {
  const message = Buffer.alloc(baseHeaderBytes + bodyBytes);
  message.writeUInt16LE(head.type, baseOffset.type);
  message.writeUInt16LE(head.id ?? 0, baseOffset.id);
  message.writeUInt16LE(head.refersTo ?? 0, baseOffset.refersTo);
  message.writeUInt32LE(bodyBytes, baseOffset.size);
  return message;
}

function encodeJsonMessage(head: MessageHead, json: object): Buffer {
  const text = Buffer.from(JSON.stringify(json));
  const message = newMessage(head, 4 + text.length);
  message.writeUInt32LE(text.length, baseHeaderBytes);
  text.copy(message, baseHeaderBytes + 4);
  return message;
}

/** A length and that many bytes, as strings and payloads are written. */
function readBlock(what: string, body: Buffer, offset: number): Buffer {
  const length = body.length >= offset + 4 ? body.readUInt32LE(offset) : Number.NaN;
  if (!(length <= body.length - offset - 4)) {
    throw new ProtocolError('cut-short', `a ${what} ends before its content does`);
  }
  return body.subarray(offset + 4, offset + 4 + length);
}

function decodeJsonObject(what: string, body: Buffer): Readonly<Record<string, unknown>> {
  const text = readBlock(what, body, 0).toString();
  let json: unknown;
  try {
    json = parseJson(text);
  } catch {
    // The parser's own words quote the text, which may hold credentials.
    throw new ProtocolError('bad-json', `a ${what} is not JSON`);
  }
  if (!isObject(json)) throw new ProtocolError('bad-json', `a ${what} is no JSON object`);
  return json;
}

/** Anything but two texts is no attempt to log in. */
function authOf(value: unknown): Credentials | undefined {
  if (!isObject(value)) return undefined;
  const { scheme, param } = value;
  return isAuthText(scheme) && isAuthText(param) ? { scheme, param } : undefined;
}

function edgeOf(value: unknown): EdgeWish | undefined {
  if (!isObject(value)) return undefined;
  const { name, stream, isListening } = value;
  return { name: textOf(name), stream: wholeTextOf(stream), isListening: isListening === true };
}

/** What makes no sense is as if it was not said. */
function originOf(value: unknown): OriginFacts | undefined {
  if (!isObject(value)) return undefined;
  const { timeline, streams, time } = value;
  const listed = Array.isArray(streams) ? streams.filter(isObject) : [];
  return {
    timeline: textOf(timeline),
    streams: listed.map(({ id, isPlaying }) => ({
      id: wholeTextOf(id),
      isPlaying: isPlaying === true,
    })),
    ...(isObject(time) && { time: { port: integerOf(time.port, 0), key: textOf(time.key) } }),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAuthText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= maxAuthTextLength;
}

function idOf(field: 'ID' | 'MAC', value: unknown): string {
  const text = wholeTextOf(value);
  if (text.length <= maxHelloTextLength) return text;
  throw new ProtocolError(
    'long-id',
    `the ${field} of a Hello has ${text.length} characters, ${maxHelloTextLength} are allowed`,
  );
}

function textOf(value: unknown): string {
  return cutText(wholeTextOf(value), maxHelloTextLength);
}

function wholeTextOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function integerOf(value: unknown, fallback: number): number {
  return Number.isSafeInteger(value) ? Number(value) : fallback;
}
