import { fileURLToPath } from 'node:url';
import { ServerProcess } from './server-process.mjs';

const writeLoop = fileURLToPath(new URL('write-loop.mjs', import.meta.url));

function formatArgs({ chunkUs, payloadBytes, codecHeader }) {
  return [String(chunkUs), String(payloadBytes), codecHeader.toString('hex')];
}

/** One `send()` per client and chunk, in C. */
export async function startSendLoop({ sendLoop, port, format }) {
  const server = new ServerProcess(sendLoop, [String(port), ...formatArgs(format)]);
  await server.listening(port);
  return server;
}

/** One `socket.write()` per client and `chunksPerWrite` chunks, in Node. */
export async function startWriteLoop({ port, format, chunksPerWrite = 1, nodeArgs = [] }) {
  const args = [writeLoop, String(port), String(chunksPerWrite), ...formatArgs(format)];
  const server = new ServerProcess(process.execPath, [...nodeArgs, ...args]);
  await server.listening(port);
  return server;
}
