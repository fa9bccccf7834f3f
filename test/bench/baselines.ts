import { fileURLToPath } from 'node:url';
import { ServerProcess } from '../support/server-process.ts';
import type { OpenedFormat } from './formats.ts';
import type { StartContext } from './run-cases.ts';

const writeLoop = fileURLToPath(new URL('write-loop.mjs', import.meta.url));

/** With so many chunks in one send. */
export type Baseline = StartContext & {
  readonly format: OpenedFormat;
  readonly chunksPerSend?: number;
};

function formatArgs({ chunkUs, payloadBytes, codecHeader }: OpenedFormat): string[] {
  return [String(chunkUs), String(payloadBytes), codecHeader.toString('hex')];
}

async function start(
  command: readonly string[],
  { core, port }: Pick<StartContext, 'core' | 'port'>,
): Promise<ServerProcess> {
  const server = new ServerProcess({ command: [...core, ...command], streamPort: port });
  await server.listening();
  return server;
}

/** One plain send per client and `chunksPerSend` chunks, in C. */
export function startSendLoop(settings: Baseline) {
  const { sendLoop, port, format, chunksPerSend = 1 } = settings;
  return start([sendLoop, String(port), ...formatArgs(format), String(chunksPerSend)], settings);
}

/** The same by `socket.write()`, in Node. */
export function startWriteLoop(settings: Baseline & { readonly nodeArgs?: readonly string[] }) {
  const { port, format, chunksPerSend = 1, nodeArgs = [] } = settings;
  const args = [writeLoop, String(port), String(chunksPerSend), ...formatArgs(format)];
  return start([process.execPath, ...nodeArgs, ...args], settings);
}
