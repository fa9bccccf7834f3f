import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServerProcess } from './server-process.mjs';

/**
 * Starts the real server with one stream and nothing beside it.
 *
 * Shape: `nodeArgs` go in front of the script, `serverArgs` behind it; `environment` is added to
 * ours.
 */
export async function startZerocast(settings) {
  const { main, workDir, port, format, sendInterval } = settings;
  const { nodeArgs = [], serverArgs = [], environment = {} } = settings;
  const { source, sampleFormat, codec } = format;
  // A file of our own keeps a configuration that this machine may have out of the measurement.
  const config = join(workDir, 'empty.conf');
  writeFileSync(config, '[stream]\n');
  const args = [
    ...nodeArgs,
    main,
    '-c',
    config,
    `--stream.source=${source}?name=bench&sampleformat=${sampleFormat}&codec=${codec}`,
    `--stream.send_interval=${sendInterval}`,
    // Nobody knows the clients of the case before.
    `--server.datadir=${mkdtempSync(join(workDir, 'data-'))}`,
    '--server.mdns_enabled=false',
    '--tcp-streaming.bind_to_address=127.0.0.1',
    `--tcp-streaming.port=${port}`,
    // All clients of a benchmark come from one address, and there are many of them.
    '--limits.max_connections_per_address=0',
    '--limits.max_players=100000',
    '--tcp-control.enabled=false',
    '--http.enabled=false',
    '--logging.sink=stderr',
    ...serverArgs,
  ];
  const server = new ServerProcess(process.execPath, args, environment);
  await server.listening(port);
  return server;
}
