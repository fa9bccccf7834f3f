/** What `Server.GetStatus` says, as far as the page shows it. Source: protocol reference, 11. */
export interface ClientObject {
  readonly id: string;
  readonly connected: boolean;
  readonly host: {
    readonly name: string;
    readonly ip: string;
    readonly os: string;
    readonly arch: string;
    readonly mac: string;
  };
  readonly snapclient: { readonly name: string; readonly version: string };
  readonly config: {
    readonly name: string;
    readonly latency: number;
    readonly instance: number;
    readonly volume: VolumeObject;
  };
  readonly lastSeen: { readonly sec: number; readonly usec: number };
}

/** Units: percent. */
export interface VolumeObject {
  readonly percent: number;
  readonly muted: boolean;
}

export interface GroupObject {
  readonly id: string;
  readonly name: string;
  readonly muted: boolean;
  readonly stream_id: string;
  readonly clients: readonly ClientObject[];
}

export interface PropertiesObject {
  readonly playbackStatus?: string;
  readonly canControl?: boolean;
  readonly canPlay?: boolean;
  readonly canPause?: boolean;
  readonly canGoNext?: boolean;
  readonly canGoPrevious?: boolean;
  readonly metadata?: {
    readonly title?: string;
    readonly artist?: readonly string[];
    readonly album?: string;
    readonly comment?: readonly string[];
    readonly artUrl?: string;
  };
}

export interface StreamObject {
  readonly id: string;
  readonly status: 'idle' | 'playing' | 'disabled' | 'unknown';
  readonly uri: {
    readonly raw: string;
    readonly scheme: string;
    readonly host?: string;
    readonly path: string;
    readonly query: Readonly<Record<string, string>>;
  };
  readonly properties?: PropertiesObject;
}

export interface ServerObject {
  readonly groups: readonly GroupObject[];
  readonly streams: readonly StreamObject[];
  readonly server: {
    readonly host: { readonly name: string };
    readonly snapserver: { readonly version: string };
  };
}
