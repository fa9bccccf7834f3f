import type { StreamObject } from '../control/status-objects.ts';

/** What can be said of a stream of each kind, beside its name, codec and sample format. */
export const fieldsOf = {
  pipe: ['path'],
  tcp: ['host', 'port'],
  process: ['path', 'params'],
  file: ['path'],
  tone: ['freq'],
} as const;

export type StreamKind = keyof typeof fieldsOf;
export type FieldName = (typeof fieldsOf)[StreamKind][number] | 'name' | 'codec' | 'sampleformat';
/** Also those that no form shows, which stay as they are. */
export type Fields = Readonly<Partial<Record<FieldName, string>> & Record<string, string>>;

export const kinds = Object.keys(fieldsOf) as readonly StreamKind[];

/** What is offered for a new one. */
export const usual: Readonly<Record<StreamKind, Fields>> = {
  pipe: { path: '/tmp/snapfifo' },
  tcp: { host: '0.0.0.0', port: '4953' },
  process: {
    path: '/usr/bin/ffmpeg',
    params: '-nostdin -v error -re -i … -f s16le -ar 48000 -ac 2 -',
  },
  file: { path: '/tmp/loop.wav' },
  tone: { freq: '440' },
};

/** The address that `Stream.AddStream` takes. */
export function addressOf(kind: StreamKind, fields: Fields): string {
  const { host = '', port = '', path = '', name = '', ...parameters } = fields;
  const literal = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const authority = kind === 'tcp' ? `${literal}${port === '' ? '' : `:${port}`}` : '';
  const own = new Set<string>(fieldsOf[kind]);
  const foreign = new Set<string>(
    Object.values(fieldsOf)
      .flat()
      .filter((field) => !own.has(field)),
  );
  const query = [['name', name] as const, ...Object.entries(parameters)]
    .filter(([key, value]) => value !== '' && !foreign.has(key))
    .map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
  const place =
    kind === 'tone' || kind === 'tcp' ? '' : path.split('/').map(encodeURIComponent).join('/');
  return `${kind}://${authority}${place}?${query.join('&')}`;
}

/** The field that a refusal of the server speaks of; `undefined` when it names none. */
export function fieldIn(refusal: string, kind: StreamKind): FieldName | undefined {
  const names: readonly FieldName[] = ['name', 'codec', 'sampleformat', ...fieldsOf[kind]];
  return names.find((name) => new RegExp(`\\b${name}\\b`, 'i').test(refusal));
}

/** The parts of an address as the server tells it. */
export function fieldsIn({ scheme, host = '', path, query }: StreamObject['uri']): Fields {
  const [, literal, name, port = ''] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(host) ?? [];
  return { ...query, path, ...(scheme === 'tcp' && { host: literal ?? name ?? '', port }) };
}
