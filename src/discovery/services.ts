/** One type of service at one port. */
export interface Service {
  /** Shape: `_snapcast._tcp`. */
  readonly type: string;
  readonly port: number;
}

/** Names of today, and older ones that programs still look for. Source: protocol reference, 14. */
const typesOf = {
  streaming: ['_snapcast._tcp', '_snapcast-stream._tcp'],
  control: ['_snapcast-ctrl._tcp', '_snapcast-jsonrpc._tcp', '_snapcast-tcp._tcp'],
  http: ['_snapcast-http._tcp'],
  https: ['_snapcast-https._tcp'],
};

/** Every type under which these ports are announced; absent or 0: the port is not announced. */
export function servicesOf(
  ports: {
    readonly [Kind in keyof typeof typesOf]?: number | undefined;
  },
): readonly Service[] {
  const services: Service[] = [];
  for (const kind of ['streaming', 'control', 'http', 'https'] as const) {
    const port = ports[kind];
    if (port) services.push(...typesOf[kind].map((type) => ({ type, port })));
  }
  return services;
}
