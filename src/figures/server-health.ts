import { X509Certificate } from 'node:crypto';
import { flacLibraryInUse } from '../audio/encoders/flac-encoder.ts';
import type { NativeAddonResult } from '../base/native/native-addon.ts';
import { lanAddresses } from '../base/net/lan-addresses.ts';
import { mask } from '../base/secrets.ts';
import { within } from '../base/time/within.ts';
import { packageVersion } from '../base/version.ts';
import { authorityOf } from '../certificates/authority.ts';
import type { Registry } from '../clients/registry.ts';
import type { Config } from '../config/config.ts';
import { secretsOf } from '../config/secret-values.ts';
import type { ControlServer } from '../control/control-server.ts';
import { hostFacts } from '../control/host-facts.ts';
import type { OriginLink } from '../edge/origin-link.ts';
import type { RecentWarning } from '../log/recent-warnings.ts';
import type { PlayerServer } from '../players/player-server.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';

/** What was looked at in one go, and what was found. */
interface HealthCheck {
  readonly name: string;
  readonly findings: readonly {
    readonly level: 'ok' | 'note' | 'warning' | 'fault';
    readonly text: string;
    readonly mend?: string;
  }[];
}

/** Looks at the machine by this configuration. */
export type Diagnose = (config: Config) => Promise<readonly HealthCheck[]>;

interface ServerHealthOptions {
  readonly server: PlayerServer;
  readonly control: ControlServer;
  readonly streams: StreamDirectory;
  readonly registry: Registry;
  readonly native: NativeAddonResult;
  /** To the origin of an edge. */
  readonly edge: OriginLink | undefined;
  readonly settings: () => Config;
  readonly ports: () => {
    readonly streaming: number;
    readonly control: number;
    readonly http: number;
    readonly https: number;
  };
  /** Units: milliseconds of `performance.now`. */
  readonly startedMs: number;
  /** In PEM; `undefined` without HTTPS. */
  readonly certificate: () => string | undefined;
  /** Absent: the log is that of another program. */
  readonly warnings?: (() => readonly RecentWarning[]) | undefined;
  readonly diagnose?: Diagnose | undefined;
}

const maxListedControllers = 200;
/** Findings that are not older are told again. */
const findingsAgeMs = 10_000;
const maxDiagnoseMs = 5000;
const msPerSecond = 1000;

/** How the server is, for people. Nothing of it is worked out until they ask. */
export class ServerHealth {
  readonly #options: ServerHealthOptions;
  #checks: { readonly found: Promise<readonly HealthCheck[]>; readonly atMs: number } | undefined;

  constructor(options: ServerHealthOptions) {
    this.#options = options;
  }

  /** As JSON. `withLog`: also the last warnings of the log. */
  async text({ withLog }: { readonly withLog: boolean }): Promise<string> {
    const { control, registry, server, streams, ports, warnings } = this.#options;
    const clients = [...registry.clients.values()];
    const facts = {
      version: packageVersion,
      node: process.version,
      host: hostFacts(),
      addresses: lanAddresses(),
      uptimeSeconds: Math.round((performance.now() - this.#options.startedMs) / msPerSecond),
      ports: ports(),
      encoders: { flac: flacLibraryInUse(this.#options.native) },
      addon: this.#addon(),
      certificate: this.#certificate(),
      counts: {
        streams: streams.channels.size,
        players: server.sessionCount,
        controllers: control.sessionCount,
        clients: clients.length,
      },
      edges: [...server.edgeNames],
      ...(this.#options.edge && { origin: originFacts(this.#options.edge) }),
      limits: this.#limits(),
      controllers: control.peers.slice(0, maxListedControllers),
      checks: await this.#findings(),
      ...(withLog && warnings && { warnings: this.#withoutSecrets(warnings()) }),
    };
    return JSON.stringify(facts);
  }

  #addon(): object {
    const { native } = this.#options;
    return 'addon' in native ? { isLoaded: true } : { isLoaded: false, reason: native.reason };
  }

  #certificate(): object | undefined {
    const pem = this.#options.certificate();
    if (pem === undefined) return undefined;
    const { validFrom, validTo, subjectAltName = '', subject, issuer } = new X509Certificate(pem);
    return {
      validFrom: Date.parse(validFrom),
      validTo: Date.parse(validTo),
      names: subjectAltName.split(', ').map((name) => name.replace(/^(?:DNS|IP Address):/, '')),
      issuer: issuer.replaceAll('\n', ', '),
      isSelfSigned: subject === issuer,
      authority: fingerprintOf(authorityOf(pem)),
    };
  }

  #limits(): object {
    const { maxPlayers, maxControllers, maxStreams, maxKnownClients } =
      this.#options.settings().limits;
    return {
      players: maxPlayers,
      controllers: maxControllers,
      streams: maxStreams,
      clients: maxKnownClients,
    };
  }

  /** Once for all who ask at about the same time. */
  #findings(): Promise<readonly HealthCheck[]> {
    const nowMs = performance.now();
    if (!this.#checks || nowMs - this.#checks.atMs >= findingsAgeMs) {
      this.#checks = { found: this.#diagnose(), atMs: nowMs };
    }
    return this.#checks.found;
  }

  async #diagnose(): Promise<readonly HealthCheck[]> {
    const { diagnose, settings } = this.#options;
    if (!diagnose) return [];
    return (await within(diagnose(settings()), maxDiagnoseMs)) ?? [];
  }

  /** Also without the place of the private key. */
  #withoutSecrets(warnings: readonly RecentWarning[]): readonly RecentWarning[] {
    const config = this.#options.settings();
    const { certificateKey } = config.ssl;
    const secrets = [...secretsOf(config), ...(certificateKey ? [certificateKey] : [])];
    const masked = (text: string) =>
      secrets.reduce((rest, secret) => rest.replaceAll(secret, mask), text);
    return warnings.map((warning) => ({ ...warning, text: masked(warning.text) }));
  }
}

/** Whole microseconds; what is not known is `null`. */
function originFacts({ address, isUp, isByUdp, timeline }: OriginLink): object {
  const { offsetUs, errorBoundUs, leastRoundTripUs, silentUs, ...others } = timeline.figures;
  const known = (us: number) => (Number.isFinite(us) ? Math.round(us) : null);
  return {
    ...address,
    isUp,
    isByUdp,
    time: {
      ...others,
      offsetUs: known(offsetUs),
      errorBoundUs: known(errorBoundUs),
      leastRoundTripUs: known(leastRoundTripUs),
      silentUs: known(silentUs),
    },
  };
}

/** SHA-256, by which people compare what a phone has loaded. */
function fingerprintOf(pem: string | undefined): string | undefined {
  return pem === undefined ? undefined : new X509Certificate(pem).fingerprint256;
}
