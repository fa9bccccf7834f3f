import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, ServerProcess } from '../support/server-process.ts';
import { createFeed } from './feeder.ts';
import type { OpenedFormat } from './formats.ts';
import type { StartContext } from './run-cases.ts';

/** Starts the C++ original with one stream, fed by a fifo, and nothing beside it. */
export async function startSnapserver(
  format: OpenedFormat,
  context: StartContext,
): Promise<ServerProcess> {
  const { snapserver, core, port, workDir } = context;
  const feed = createFeed(format, context);
  const folder = mkdtempSync(join(workDir, 'snapserver-'));
  const config = join(folder, 'snapserver.conf');
  const { sampleFormat, codec } = format;
  const off = ['enabled = false', `port = ${await freePort()}`];
  const lines = [
    ...['[server]', `datadir = ${folder}`, '[http]', ...off, '[tcp]', ...off],
    // The section of the players was [stream] before it was [tcp-streaming].
    ...['[tcp-control]', ...off, '[tcp-streaming]', `port = ${port}`],
    ...['[stream]', `port = ${port}`, 'bind_to_address = 127.0.0.1'],
    `source = ${feed.source}?name=bench&sampleformat=${sampleFormat}&codec=${codec}`,
    ...['[logging]', 'sink = stdout', ''],
  ];
  writeFileSync(config, lines.join('\n'));
  const command = [...core, snapserver, '-c', config, `--server.datadir=${folder}`];
  const server = new ServerProcess({ command, streamPort: port });
  await server.listening();
  feed.play();
  return server;
}
