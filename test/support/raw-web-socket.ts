import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from './waiting.ts';

const headEnd = '\r\n\r\n';
const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
const finalBit = 0x80;
const ping = finalBit | 9;
const pong = finalBit | 10;

export type FrameKind = 'text' | 'binary';
const opcodes: Readonly<Record<FrameKind, number>> = { text: 1, binary: 2 };

export interface Frame {
  /** The first byte: final bit, reserved bits, opcode. */
  readonly first: number;
  readonly payload: Buffer;
}

/** A WebSocket written by hand, so that the request for it is byte by byte that of a program. */
export class RawWebSocket {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  /** The answer to the request, without the empty line at its end. */
  head = '';
  readonly #onFrame: (frame: Frame) => void;
  #bytes: Buffer = Buffer.alloc(0);

  /** Sends `request` and resolves when it is answered. */
  static async open(
    port: number,
    request: string,
    onFrame: (frame: Frame) => void = () => {},
  ): Promise<RawWebSocket> {
    const webSocket = new RawWebSocket(port, onFrame);
    await once(webSocket.socket, 'connect');
    webSocket.socket.write(request);
    await until(() => webSocket.head !== '', 'the server answers the upgrade');
    return webSocket;
  }

  private constructor(port: number, onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
    this.socket = connect({ host: '127.0.0.1', port, noDelay: true });
    this.socket.on('error', () => {});
    this.socket.on('data', (data: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, data]);
      if (this.head === '') this.#readHead();
      if (this.head !== '') while (this.#readFrame());
    });
  }

  /** Sends one frame, which is masked as that of every client. Shape: up to 65 535 bytes. */
  send(payload: Buffer, kind: FrameKind): void {
    this.#send(payload, finalBit | opcodes[kind]);
  }

  #send(payload: Buffer, first: number): void {
    const length =
      payload.length < 126
        ? [0x80 | payload.length]
        : [0x80 | 126, payload.length >> 8, payload.length & 0xff];
    const masked = payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0));
    this.socket.write(Buffer.concat([Buffer.from([first, ...length]), mask, masked]));
  }

  close(): void {
    this.socket.destroy();
  }

  #readHead(): void {
    const end = this.#bytes.indexOf(headEnd);
    if (end < 0) return;
    this.head = this.#bytes.toString('latin1', 0, end);
    this.#bytes = this.#bytes.subarray(end + headEnd.length);
  }

  /** Servers mask nothing. */
  #readFrame(): boolean {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    const short = (bytes[1] ?? 0) & 0x7f;
    const start = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length < start) return false;
    const length = short < 126 ? short : bytes.readUIntBE(start === 4 ? 2 : 4, start === 4 ? 2 : 6);
    if (bytes.length < start + length) return false;
    const frame = { first: bytes[0] ?? 0, payload: bytes.subarray(start, start + length) };
    this.#bytes = bytes.subarray(start + length);
    // Programs answer this behind the back of whoever reads the messages.
    if (frame.first === ping) this.#send(frame.payload, pong);
    else this.#tell(frame);
    return true;
  }

  #tell(frame: Frame): void {
    this.frames.push(frame);
    this.#onFrame(frame);
  }
}
