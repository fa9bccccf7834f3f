import type { Config } from '../config/config.ts';

/** Files and folders of the server itself that its configuration names: nobody else has to do with them. */
export function ownPaths({ server, ssl, logging }: Config): readonly string[] {
  const [, logFile = ''] = /^file:(.+)$/s.exec(logging.sink) ?? [];
  const { certificateKey, certificate } = ssl;
  const { datadir, pidfile } = server;
  return [datadir, pidfile, logFile, certificate, certificateKey].filter((path) => path !== '');
}
