import type { AccessGate } from '../auth/access-gate.ts';
import type { Logger } from '../base/logger.ts';
import type { LiveConfig } from '../config/live-config.ts';
import type { ControlServer } from '../control/control-server.ts';
import type { PlayerServer } from '../players/player-server.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import { openAccess } from './access.ts';
import { ConfigReload, type ReloadablePart, type ReloadInputs } from './config-reload.ts';
import type { Listeners } from './listeners.ts';

export interface ReloadTargets {
  readonly live: LiveConfig;
  readonly logger: Logger;
  readonly access: AccessGate;
  readonly server: PlayerServer;
  readonly control: ControlServer;
  readonly streams: StreamDirectory;
  readonly listeners: Listeners;
}

/** Wires what follows another configuration; `undefined` when it cannot be read again. */
export function openReload(
  inputs: ReloadInputs | undefined,
  targets: ReloadTargets,
): ConfigReload | undefined {
  if (!inputs) return undefined;
  const { live, logger, server, streams, listeners } = targets;
  return new ConfigReload({
    inputs,
    live,
    logger,
    parts: [
      accessPart(targets),
      { prepare: ({ config }) => listeners.prepare(config) },
      // Whether muted players get audio is decided when they are given their stream.
      { prepare: async () => () => server.reroute() },
    ],
    changeStreams: (sources) => streams.reconfigure(sources),
  });
}

/** Users, roles and tokens; whoever has lost the right to be here is sent away at once. */
function accessPart({ access, server, control }: ReloadTargets): ReloadablePart {
  return {
    async prepare({ config, origins }) {
      const entries = await openAccess(config, origins, access.entries);
      return () => {
        access.replace(entries);
        control.reviewLogins((login) => access.holds(login));
        server.reviewLogins();
      };
    },
  };
}
