import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';

const connectAttempts = 50;

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
