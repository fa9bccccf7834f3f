import { fileURLToPath } from 'node:url';
import { ServerProcess } from '../support/server-process.ts';
import type { OpenedFormat } from './formats.ts';

const writeLoop = fileURLToPath(new URL('write-loop.mjs', import.meta.url));

interface Baseline {
  readonly port: number;
  readonly format: OpenedFormat;
}

function formatArgs({ chunkUs, payloadBytes, codecHeader }: OpenedFormat): string[] {
  return [String(chunkUs), String(payloadBytes), codecHeader.toString('hex')];
}

async function start(command: readonly string[], port: number): Promise<ServerProcess> {
  const server = new ServerProcess({ command, streamPort: port });
  await server.listening();
  return server;
}

/** One `send()` per client and chunk, in C. */
export function startSendLoop(settings: Baseline & { readonly sendLoop: string }) {
  const { sendLoop, port, format } = settings;
  return start([sendLoop, String(port), ...formatArgs(format)], port);
}

/** One `socket.write()` per client and `chunksPerWrite` chunks, in Node. */
export function startWriteLoop(
  settings: Baseline & { readonly chunksPerWrite?: number; readonly nodeArgs?: readonly string[] },
) {
  const { port, format, chunksPerWrite = 1, nodeArgs = [] } = settings;
  const args = [writeLoop, String(port), String(chunksPerWrite), ...formatArgs(format)];
  return start([process.execPath, ...nodeArgs, ...args], port);
}
