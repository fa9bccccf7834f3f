import { connect, type Socket } from 'node:net';
import { arch, hostname } from 'node:os';
import type { Decoder } from '../audio/decoders/decoder.ts';
import { createDecoder } from '../audio/decoders/decoders.ts';
import { bytesOf } from '../audio/sample-conversion.ts';
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { messageType } from '../protocol/layout.ts';
import { clientPolicy, type IncomingMessage, MessageReader } from '../protocol/message-reader.ts';
import {
  decodeCodecHeader,
  decodeServerSettings,
  decodeTimeLatencyUs,
  decodeWireChunk,
  encodeHello,
  encodeTimeRequest,
  type ServerSettings,
  stampSent,
} from '../protocol/messages.ts';
import { Continuity } from './continuity.ts';
import { TimeSync } from './time-sync.ts';

const helloId = 2;
/** Like real players: a burst of requests at first, then one per second. */
const firstRequests = 50;
const requestIntervalMs = 1000;
/** Chunks that may arrive while the decoder of a new stream is being built. */
const maxEarlyChunks = 1000;

interface ProbeClientOptions {
  readonly host: string;
  readonly port: number;
  readonly id: string;
  /** The server shall forget it when it leaves. */
  readonly isVisitor?: boolean;
  readonly version: string;
  readonly clock: Clock;
  readonly onAudio: (chunk: { timestampUs: number; pcm: Buffer; decoder: Decoder }) => void;
  readonly onClose: (reason: string) => void;
}

/** A player without loudspeaker: speaks the protocol, decodes, and counts what it finds. */
export class ProbeClient {
  readonly sync = new TimeSync();
  readonly continuity = new Continuity();
  settings: ServerSettings | undefined;
  codec = '';
  decoder: Decoder | undefined;
  chunks = 0;
  payloadBytes = 0;
  decodeErrors = 0;
  /** How old the last chunk was when it arrived, by the server's clock; microseconds. */
  ageUs: number | undefined;
  readonly #options: ProbeClientOptions;
  readonly #socket: Socket;
  readonly #connectedUs: number;
  #firstChunkUs: number | undefined;
  /** Messages that wait for the decoder of a new codec header. */
  #opening: Promise<void> | undefined;
  readonly #early: { timestampUs: number; payload: Buffer }[] = [];
  #requestId = helloId;
  #requests = 0;
  #requestTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ProbeClientOptions) {
    this.#options = options;
    this.#connectedUs = options.clock.nowUs();
    const reader = new MessageReader(clientPolicy, (message) => this.#handle(message));
    this.#socket = connect({ host: options.host, port: options.port, noDelay: true });
    this.#socket.on('connect', () => this.#greet());
    this.#socket.on('data', (data: Buffer) => {
      try {
        reader.feed(data, options.clock.nowUs());
      } catch (error) {
        this.close(`the server broke the protocol: ${messageOf(error)}`);
      }
    });
    this.#socket.on('error', (error) => this.close(error.message));
    this.#socket.on('close', () => this.close('the server closed the connection'));
  }

  /** From connecting to the first chunk, milliseconds. */
  get firstChunkMs(): number | undefined {
    return this.#firstChunkUs && (this.#firstChunkUs - this.#connectedUs) / 1000;
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#requestTimer);
    this.#socket.destroy();
    this.decoder?.close();
    this.#options.onClose(reason);
  }

  #greet(): void {
    const { id, isVisitor, version } = this.#options;
    this.#send(
      encodeHello(
        {
          mac: '00:00:00:00:00:00',
          hostName: hostname(),
          version,
          clientName: 'Zerocast probe',
          os: process.platform,
          arch: arch(),
          instance: 1,
          id,
          protocolVersion: 2,
          ...(isVisitor && { isVisitor }),
        },
        helloId,
      ),
    );
    this.#requestTime();
  }

  #requestTime(): void {
    if (this.#closed) return;
    this.#requestId = (this.#requestId % 9999) + 1;
    this.#requests += 1;
    this.#send(encodeTimeRequest(this.#requestId));
  }

  #send(message: Buffer): void {
    stampSent(message, this.#options.clock.nowUs());
    this.#socket.write(message);
  }

  #handle(message: IncomingMessage): void {
    if (!this.#closed) this.#handlers.get(message.type)?.(message);
  }

  readonly #handlers: ReadonlyMap<number, (message: IncomingMessage) => void> = new Map([
    [
      messageType.serverSettings,
      ({ body }) => {
        this.settings = decodeServerSettings(body);
      },
    ],
    [messageType.time, (message) => this.#onTime(message)],
    [messageType.codecHeader, ({ body }) => this.#onCodecHeader(body)],
    [messageType.wireChunk, ({ body, receivedUs }) => this.#onChunk(body, receivedUs)],
  ]);

  #onTime({ body, sentUs, receivedUs: arrivedUs }: IncomingMessage): void {
    this.sync.add({ latencyUs: decodeTimeLatencyUs(body), sentUs, arrivedUs });
    const delayMs = this.#requests < firstRequests ? 0 : requestIntervalMs;
    clearTimeout(this.#requestTimer);
    this.#requestTimer = setTimeout(() => this.#requestTime(), delayMs);
  }

  #onCodecHeader(body: Buffer): void {
    const { codec, payload } = decodeCodecHeader(body);
    this.codec = codec;
    this.decoder?.close();
    this.decoder = undefined;
    this.#early.length = 0;
    this.continuity.restart();
    const opening = createDecoder(codec, Buffer.from(payload)).then(
      (decoder) => {
        if (this.#opening !== opening || this.#closed) return decoder.close();
        this.decoder = decoder;
        for (const chunk of this.#early.splice(0)) this.#decode(decoder, chunk);
      },
      (error) => this.close(messageOf(error)),
    );
    this.#opening = opening;
  }

  #onChunk(body: Buffer, receivedUs: number): void {
    const { timestampUs, payload } = decodeWireChunk(body);
    this.#firstChunkUs ??= receivedUs;
    this.chunks += 1;
    this.payloadBytes += payload.length;
    if (this.sync.isSynced) this.ageUs = receivedUs + this.sync.offsetUs - timestampUs;
    if (this.decoder) this.#decode(this.decoder, { timestampUs, payload });
    else if (this.#opening && this.#early.length < maxEarlyChunks) {
      this.#early.push({ timestampUs, payload: Buffer.from(payload) });
    }
  }

  #decode(decoder: Decoder, chunk: { timestampUs: number; payload: Buffer }): void {
    if (this.#closed) return;
    const { timestampUs } = chunk;
    let pcm: Buffer;
    try {
      pcm = bytesOf(decoder.decode(chunk.payload));
    } catch {
      this.decodeErrors += 1;
      return;
    }
    const { format } = decoder;
    const durationUs = format.durationUs(pcm.length / format.frameBytes);
    const sequel = this.continuity.add({ timestampUs, durationUs });
    if (sequel !== 'duplicate') this.#options.onAudio({ timestampUs, pcm, decoder });
  }
}
