import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import { baseHeaderBytes, baseOffset } from '../protocol/layout.ts';
import {
  closeCode,
  encodeClose,
  encodeFrame,
  frameHeader,
  opcode,
} from '../protocol/web-socket-frame.ts';
import type { Link, LinkHandler } from './link.ts';

/** Each message in a binary frame. `ws` reads frames and writes none: no pongs, no close frames. */
export class WebSocketLink implements Link {
  readonly framing = 'websocket';
  readonly socket: Socket;
  readonly #webSocket: WebSocket;
  #closeCode: number | undefined;

  /** Shape: `webSocket` sends no pongs of its own; `socket` is the one that it reads from. */
  constructor(webSocket: WebSocket, socket: Socket) {
    this.#webSocket = webSocket;
    this.socket = socket;
  }

  open(handler: LinkHandler): void {
    const webSocket = this.#webSocket;
    // Around the listener of `ws`, which hands on all frames that one read completes.
    this.socket.prependListener('data', () => handler.begin());
    this.socket.on('data', () => handler.finish());
    webSocket.on('message', (data, isBinary) => this.#onMessage(data, { isBinary, handler }));
    webSocket.on('ping', (data) => handler.answer(encodeFrame(opcode.pong, data)));
    webSocket.on('error', (error) => handler.violated(error.message));
    // `ws` calls this to answer a close frame, and before it reports a bad frame.
    webSocket.close = (code = closeCode.none) => {
      this.#closeCode = code;
      queueMicrotask(() => handler.ended());
    };
  }

  headerOf(message: Buffer): Buffer {
    return frameHeader(opcode.binary, message.length);
  }

  farewell(isViolation: boolean): Buffer {
    const own = isViolation ? closeCode.protocolError : closeCode.goingAway;
    return encodeClose(this.#closeCode ?? own);
  }

  #onMessage(data: RawData, from: { isBinary: boolean; handler: LinkHandler }): void {
    const { isBinary, handler } = from;
    if (!isBinary || !Buffer.isBuffer(data)) {
      this.#closeCode = closeCode.unsupportedData;
      handler.violated('a text frame, but messages are binary');
    } else if (data.length < baseHeaderBytes) {
      handler.violated(`a frame of ${data.length} bytes, but messages have ${baseHeaderBytes}`);
    } else {
      // The frame tells the size: snapweb counts the header too. Source: protocol reference, 2.1.
      data.writeUInt32LE(data.length - baseHeaderBytes, baseOffset.size);
      handler.receive(data);
    }
  }
}
