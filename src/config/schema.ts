import { announceSettings } from './announce-settings.ts';
import { clipSettings } from './clip-settings.ts';
import { edgeSettings } from './edge-settings.ts';
import { hookSettings } from './hook-settings.ts';
import { limitSettings } from './limit-settings.ts';
import { listenerSettings } from './listener-settings.ts';
import { serverSettings } from './server-settings.ts';
import type { Setting } from './setting.ts';
import { streamSettings } from './stream-settings.ts';

/**
 * The one table of settings: section, key, default, unit, parser, repeatable, doc.
 *
 * Source: protocol reference, section 17, plus the settings of our own.
 */
export const schema = {
  server: serverSettings.server,
  ssl: serverSettings.ssl,
  authorization: serverSettings.authorization,
  http: listenerSettings.http,
  'tcp-control': listenerSettings['tcp-control'],
  'tcp-streaming': listenerSettings['tcp-streaming'],
  stream: streamSettings.stream,
  streaming_client: streamSettings.streaming_client,
  edge: edgeSettings.edge,
  announce: announceSettings.announce,
  clips: clipSettings.clips,
  hooks: hookSettings.hooks,
  limits: limitSettings.limits,
  logging: serverSettings.logging,
} as const;

/** A row of the table with its place: what loading and rendering walk over. */
export interface Row {
  readonly section: string;
  readonly key: string;
  readonly setting: Setting<unknown>;
}

export const rows: readonly Row[] = Object.entries(schema).flatMap(([section, keys]) =>
  Object.entries<Setting<unknown>>(keys).map(([key, setting]) => ({ section, key, setting })),
);

/** Old names of `section.key` that still work, with a warning that names the new one. */
export const deprecatedNames: ReadonlyMap<string, string> = new Map([
  ['tcp.enabled', 'tcp-control.enabled'],
  ['tcp.port', 'tcp-control.port'],
  ['tcp.bind_to_address', 'tcp-control.bind_to_address'],
  ['stream.port', 'tcp-streaming.port'],
  ['stream.bind_to_address', 'tcp-streaming.bind_to_address'],
  ['stream.stream', 'stream.source'],
  ['stream.stream_buffer', 'stream.chunk_ms'],
]);

const rowByName: ReadonlyMap<string, Row> = new Map(
  rows.map((row) => [`${row.section}.${row.key}`, row]),
);

export function findRow(name: string): Row | undefined {
  return rowByName.get(name);
}
