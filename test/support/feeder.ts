import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { RtpSender } from './rtp-packets.ts';

const connectAttempts = 50;
/** Of 48000:16:2; also whole frames of 24 bits. */
const datagramFrames = 288;
const frameBytes = 4;
const datagramMs = 6;

/** Writes `pcm` into a fifo as `cat` does; resolves when the last of it is in the fifo. */
export async function feedPipe(path: string, pcm: Buffer): Promise<void> {
  const cat = spawn('sh', ['-c', 'cat > "$0"', path], { stdio: ['pipe', 'inherit', 'inherit'] });
  // The server may go away in the middle, which is what some tests are about.
  cat.stdin.on('error', () => undefined);
  cat.stdin.end(pcm);
  await once(cat, 'close');
}

/** Sends `pcm` over one TCP connection; resolves when the connection is closed. */
export async function feedTcp(port: number, pcm: Buffer): Promise<void> {
  const socket = await connected(port);
  socket.on('error', () => undefined);
  socket.end(pcm);
  // A socket that nobody reads never sees that the other side has closed.
  socket.resume();
  await once(socket, 'close');
}

/** Sends `pcm` as RTP in real time. */
export function feedRtp(port: number, pcm: Buffer): Promise<void> {
  return feedDatagrams(port, new RtpSender({ payloadType: 98 }).packets(pcm, datagramFrames));
}

/** Sends `pcm` in datagrams in real time. */
export function feedUdp(port: number, pcm: Buffer): Promise<void> {
  const bytes = datagramFrames * frameBytes;
  const count = Math.floor(pcm.length / bytes);
  const datagrams = Array.from({ length: count }, (_, at) =>
    pcm.subarray(at * bytes, (at + 1) * bytes),
  );
  return feedDatagrams(port, datagrams);
}

async function feedDatagrams(port: number, datagrams: readonly Buffer[]): Promise<void> {
  const socket = createSocket('udp4');
  // A receiver that has gone answers with an error.
  socket.on('error', () => undefined);
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const startMs = performance.now();
  for (const [index, datagram] of datagrams.entries()) {
    socket.send(datagram, () => undefined);
    const aheadMs = index * datagramMs - (performance.now() - startMs);
    if (aheadMs > 0) await setTimeout(aheadMs);
  }
  socket.close();
}

/** A source may begin to listen a moment after the server has begun to serve clients. */
async function connected(port: number): Promise<Socket> {
  for (let attempt = 1; ; attempt += 1) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (attempt === connectAttempts) throw error;
      await setTimeout(50);
    }
  }
}
