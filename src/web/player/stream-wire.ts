import { baseHeaderBytes, baseOffset, messageType } from '../../protocol/layout.ts';

/** A message of the server; its body lies in memory of its own. */
export interface ServerMessage {
  readonly type: number;
  readonly refersTo: number;
  /** By the clock of the server. */
  readonly sentMs: number;
  readonly receivedMs: number;
  readonly body: DataView<ArrayBuffer>;
}

/** What the server wants of this player. Units: percent. */
export interface PlayerSettings {
  readonly bufferMs: number;
  readonly latencyMs: number;
  readonly volume: number;
  readonly muted: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Failure: throws a `RangeError` for what is too short, as all functions here do. */
export function readMessage(frame: ArrayBuffer): ServerMessage {
  const view = new DataView(frame);
  return {
    type: view.getUint16(baseOffset.type, true),
    refersTo: view.getUint16(baseOffset.refersTo, true),
    sentMs: readTimeMs(view, baseOffset.sentSec),
    receivedMs: readTimeMs(view, baseOffset.receivedSec),
    body: new DataView(frame, baseHeaderBytes),
  };
}

export function readSettings(body: DataView<ArrayBuffer>): PlayerSettings {
  const json = JSON.parse(decoder.decode(readBytes(body, 0))) as Record<string, unknown>;
  return {
    bufferMs: Number(json.bufferMs) || 0,
    latencyMs: Number(json.latency) || 0,
    volume: Number(json.volume ?? 100),
    muted: json.muted === true,
  };
}

export function readCodecHeader(body: DataView<ArrayBuffer>) {
  const name = readBytes(body, 0);
  return { codec: decoder.decode(name), header: readBytes(body, 4 + name.length) };
}

export function readWireChunk(body: DataView<ArrayBuffer>) {
  return { timestampMs: readTimeMs(body, 0), payload: readBytes(body, 8) };
}

/** Why a Hello was refused. */
export function readError(body: DataView<ArrayBuffer>) {
  const name = readBytes(body, 4);
  return {
    code: body.getUint32(0, true),
    name: decoder.decode(name),
    detail: decoder.decode(readBytes(body, 8 + name.length)),
  };
}

/** Shape: answers refer to the id; the server measures no delay, so it is not told the time. */
export function timeRequest(id: number): Uint8Array<ArrayBuffer> {
  return newMessage({ type: messageType.time, id }, new Uint8Array(8));
}

export function jsonMessage(head: { type: number; id: number }, json: object) {
  const text = encoder.encode(JSON.stringify(json));
  const body = new Uint8Array(4 + text.length);
  new DataView(body.buffer).setUint32(0, text.length, true);
  body.set(text, 4);
  return newMessage(head, body);
}

function newMessage(
  { type, id }: { readonly type: number; readonly id: number },
  body: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(baseHeaderBytes + body.length);
  const view = new DataView(message.buffer);
  view.setUint16(baseOffset.type, type, true);
  view.setUint16(baseOffset.id, id, true);
  view.setUint32(baseOffset.size, body.length, true);
  message.set(body, baseHeaderBytes);
  return message;
}

function readTimeMs(view: DataView, offset: number): number {
  return view.getInt32(offset, true) * 1000 + view.getInt32(offset + 4, true) / 1000;
}

/** A length and that many bytes, as texts and payloads are written. */
function readBytes(body: DataView<ArrayBuffer>, offset: number): Uint8Array<ArrayBuffer> {
  const length = body.getUint32(offset, true);
  return new Uint8Array(body.buffer, body.byteOffset + offset + 4, length);
}
