import type { NativeAddonResult } from '../base/native/native-addon.ts';
import type { Config } from '../config/config.ts';
import type { Environment } from '../config/environment.ts';
import type { Assignment } from '../config/ini-text.ts';
import type { ProcessTable } from './process-table.ts';
import type { ServerUser } from './server-user.ts';
import type { SystemFiles } from './system-files.ts';

/** What does not depend on a configuration. */
export interface SystemContext {
  readonly environment: Environment;
  readonly files: SystemFiles;
  readonly processes: ProcessTable;
  readonly native: NativeAddonResult;
}

/** What the checks of a configuration look at. */
export interface DoctorContext extends SystemContext {
  readonly config: Config;
  /** The configuration file that was read, if any. */
  readonly configFile: string | undefined;
  readonly overrides: readonly Assignment[];
  /** Whether the server is to run as a daemon. */
  readonly isDaemon: boolean;
  /** This process is the server. */
  readonly isServer?: boolean;
  /** The user that the server is to run as. */
  readonly serverUser: ServerUser;
}
