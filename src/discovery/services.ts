/** One type of service at one port. */
export interface Service {
  /** Shape: `_snapcast._tcp`. */
  readonly type: string;
  readonly port: number;
}

/** The ports that are open and shall be announced; absent or 0: not announced. */
export interface AnnouncedPorts {
  readonly streaming?: number | undefined;
  readonly control?: number | undefined;
  readonly http?: number | undefined;
  readonly https?: number | undefined;
}

/**
 * Names of today, and those of older servers that programs still look for.
 *
 * Source: protocol reference, 14.
 */
const typesOf: Readonly<Record<keyof AnnouncedPorts, readonly string[]>> = {
  streaming: ['_snapcast._tcp', '_snapcast-stream._tcp'],
  control: ['_snapcast-ctrl._tcp', '_snapcast-jsonrpc._tcp', '_snapcast-tcp._tcp'],
  http: ['_snapcast-http._tcp'],
  https: ['_snapcast-https._tcp'],
};

/** Every type under which these ports are announced. */
export function servicesOf(ports: AnnouncedPorts): readonly Service[] {
  const services: Service[] = [];
  for (const kind of ['streaming', 'control', 'http', 'https'] as const) {
    const port = ports[kind];
    if (port) services.push(...typesOf[kind].map((type) => ({ type, port })));
  }
  return services;
}
