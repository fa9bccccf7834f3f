import { join } from 'node:path';

/** Where a system service keeps its state. */
const serviceFolder = '/var/lib/snapserver';

export interface DataFolderOptions {
  /** The setting `[server] datadir`; empty: chosen here. */
  readonly datadir: string;
  /** `$HOME` of the user that the server runs as, if there is one. */
  readonly home: string | undefined;
  readonly isDaemon: boolean;
}

/** The folder of `server.json`. Source: protocol reference, 8.3. */
export function dataFolder({ datadir, home, isDaemon }: DataFolderOptions): string {
  if (datadir) return datadir;
  return home && !isDaemon ? join(home, '.config', 'snapserver') : serviceFolder;
}
