import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config } from '../config/config.ts';

/**
 * The same configuration with its paths seen from `folder`, for a process that leaves that folder.
 *
 * Certificates that are not there stay as they are: they are looked for in other places, too.
 */
export function withAbsolutePaths(config: Config, folder: string): Config {
  const { server, ssl, http, stream, clips, logging } = config;
  const absolute = (path: string) => (path === '' ? path : resolve(folder, path));
  const found = (path: string) => (existsSync(absolute(path)) ? absolute(path) : path);
  return {
    ...config,
    server: { ...server, pidfile: absolute(server.pidfile), datadir: absolute(server.datadir) },
    ssl: {
      ...ssl,
      certificate: found(ssl.certificate),
      certificateKey: found(ssl.certificateKey),
      clientCert: ssl.clientCert.map(found),
    },
    http: { ...http, docRoot: absolute(http.docRoot) },
    stream: {
      ...stream,
      pluginDir: absolute(stream.pluginDir),
      sandboxDir: absolute(stream.sandboxDir),
    },
    clips: { ...clips, folder: absolute(clips.folder) },
    logging: {
      ...logging,
      sink: logging.sink.replace(/^file:(.+)$/s, (_, name: string) => `file:${absolute(name)}`),
    },
  };
}
