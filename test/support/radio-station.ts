import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { risingTone } from './test-signal.ts';

/** True when ffmpeg is not installed; under CI that is a failure, not a reason to skip. */
export const ffmpegIsMissing =
  !process.env.CI && spawnSync('ffmpeg', ['-version']).error !== undefined;

export const radioFormat = SampleFormat.parse('48000:16:2');

/** Encodes PCM of `radioFormat`, with these arguments of ffmpeg: `-f mp3 -b:a 128k`. */
export function encodeSound(pcm: Buffer, args: string): Buffer {
  const input = '-v error -f s16le -ar 48000 -ac 2 -i pipe:0'.split(' ');
  const options = { input: pcm, maxBuffer: 2 ** 28 };
  const { stdout, stderr, status } = spawnSync(
    'ffmpeg',
    [...input, ...args.split(' '), 'pipe:1'],
    options,
  );
  if (status !== 0) throw new Error(`ffmpeg: ${String(stderr)}`);
  return stdout;
}

/** What is not there twice, and lossy codecs keep. */
export function radioSound(seconds: number): Buffer {
  return risingTone({ format: radioFormat, seconds });
}

type Answer = (socket: Socket, request: string) => void | Promise<void>;

/** A server for radio stations, by paths, that keeps what it was asked. */
export class RadioServer {
  readonly requests: string[] = [];
  readonly sockets = new Set<Socket>();
  readonly #server: Server;
  readonly #answers = new Map<string, Answer>();

  /** Without `port` at one that is free. */
  static async open(port = 0): Promise<RadioServer> {
    const radio = new RadioServer();
    await once(radio.#server.listen(port, '127.0.0.1'), 'listening');
    return radio;
  }

  private constructor() {
    this.#server = createServer((socket) => {
      this.sockets.add(socket.setNoDelay(true));
      socket.on('close', () => this.sockets.delete(socket)).on('error', () => undefined);
      socket.once('data', (data) => {
        const request = String(data);
        this.requests.push(request);
        const [, path = ''] = request.split(' ');
        const answer = this.#answers.get(path);
        if (answer) void answer(socket, request);
        else socket.end('HTTP/1.0 404 Not Found\r\n\r\n');
      });
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** `answer`: what is done with a request for that path, or the whole answer. */
  on(path: string, answer: Answer | string): this {
    this.#answers.set(
      path,
      typeof answer === 'string' ? (socket) => void socket.end(answer) : answer,
    );
    return this;
  }

  /** Cuts all that are connected. */
  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

interface Sending {
  readonly sound: Buffer;
  readonly type?: string;
  /** `HTTP/1.0 200 OK`, or as old servers write it. */
  readonly status?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Metadata by how many intervals of audio came before; those without have none. */
  readonly titles?: ReadonlyMap<number, string | Buffer>;
  readonly intervalBytes?: number;
  /** Sent at once, and from then on in each second; absent: all at once. */
  readonly burstBytes?: number;
  readonly bytesPerSecond?: number;
  /** Whether the connection stays when all is sent. */
  readonly stays?: boolean;
}

/** Sends a sound as a station does. */
export function station({
  sound,
  type = 'audio/mpeg',
  status = 'HTTP/1.0 200 OK',
  headers = {},
  titles,
  intervalBytes = 8192,
  burstBytes = Number.POSITIVE_INFINITY,
  bytesPerSecond = 0,
  stays = false,
}: Sending): Answer {
  return async (socket, request) => {
    const wantsTitles = titles !== undefined && /^icy-metadata: 1/im.test(request);
    const head = {
      'Content-Type': type,
      ...(wantsTitles && { 'icy-metaint': `${intervalBytes}` }),
      ...headers,
    };
    const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(Buffer.from(`${status}\r\n${lines.join('')}\r\n`, 'latin1'));
    const bytes = wantsTitles ? withTitles(sound, titles, intervalBytes) : sound;
    const startMs = performance.now();
    let sent = 0;
    while (sent < bytes.length && !socket.destroyed) {
      const elapsed = (performance.now() - startMs) / 1000;
      const allowed = Math.min(bytes.length, burstBytes + Math.floor(bytesPerSecond * elapsed));
      // In pieces that split metadata anywhere.
      const piece = bytes.subarray(sent, Math.min(allowed, sent + 16_411));
      sent += piece.length;
      const isTaken = piece.length === 0 || socket.write(piece);
      if (!isTaken)
        await new Promise((resolve) => socket.once('drain', resolve).once('close', resolve));
      if (sent >= allowed) await delay(10);
    }
    if (!stays) socket.end();
  };
}

function withTitles(
  sound: Buffer,
  titles: ReadonlyMap<number, string | Buffer>,
  intervalBytes: number,
): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0, count = 1; at < sound.length; at += intervalBytes, count += 1) {
    pieces.push(sound.subarray(at, at + intervalBytes));
    if (at + intervalBytes <= sound.length) pieces.push(metadata(titles.get(count) ?? ''));
  }
  return Buffer.concat(pieces);
}

/** One block, with its length in front, as stations send it. */
export function metadata(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text);
  const units = Math.ceil(bytes.length / 16);
  return Buffer.concat([Buffer.of(units), bytes, Buffer.alloc(units * 16 - bytes.length)]);
}
