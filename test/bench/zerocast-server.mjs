import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServerProcess } from './server-process.mjs';

/**
 * Starts the real server with one test-signal stream and nothing beside it.
 *
 * Shape: `nodeArgs` go in front of the script.
 */
export async function startZerocast(settings) {
  const { main, workDir, port, codec, sendInterval, nodeArgs = [] } = settings;
  // A file of our own keeps a configuration that this machine may have out of the measurement.
  const config = join(workDir, 'empty.conf');
  writeFileSync(config, '[stream]\n');
  const server = new ServerProcess(process.execPath, [
    ...nodeArgs,
    main,
    '-c',
    config,
    `--stream.source=tone:///?name=bench&sampleformat=48000:16:2&codec=${codec}`,
    `--stream.send_interval=${sendInterval}`,
    `--server.datadir=${workDir}`,
    '--server.mdns_enabled=false',
    '--tcp-streaming.bind_to_address=127.0.0.1',
    `--tcp-streaming.port=${port}`,
    '--tcp-control.enabled=false',
    '--http.enabled=false',
    '--logging.sink=stderr',
  ]);
  await server.listening(port);
  return server;
}
