import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DamagedFileError } from '../../../src/base/files/json-file.ts';
import { Registry } from '../../../src/clients/registry.ts';
import { parseSavedState, type SavedState } from '../../../src/clients/saved-state.ts';
import { savedStateText } from '../../../src/clients/saved-state-text.ts';
import { hostileJson, hostileObject, mutationsOf } from '../../support/hostile-values.ts';

const fixtures = ['snapserver-0.26', 'missing-fields', 'unknown-fields'].map((name) =>
  readFileSync(new URL(`../../support/state/${name}.state`, import.meta.url)),
);

const keys = [
  ...[
    'ConfigVersion',
    'Groups',
    'Scenes',
    'groups',
    'Server',
    'clients',
    'id',
    'name',
    'muted',
    'stream_id',
  ],
  ...['config', 'instance', 'latency', 'volume', 'percent', 'connected', 'host', 'arch', 'ip'],
  ...['mac', 'os', 'lastSeen', 'sec', 'usec', 'snapclient', 'protocolVersion', '__proto__'],
];

function parsed(json: unknown): SavedState | undefined {
  try {
    return parseSavedState(json);
  } catch (error) {
    expect(error).toBeInstanceOf(DamagedFileError);
    return undefined;
  }
}

/** What was taken over is a registry that can be saved and read again, without a fault. */
function expectUsable({ groups, unknown, scenes }: SavedState): void {
  const registry = new Registry({
    bufferMs: 1000,
    settings: () => ({ initialVolume: 100, maxClients: 10_000 }),
    nowMs: Date.now,
  });
  registry.restore(groups);
  const text = [...savedStateText(registry.groups.values(), unknown, scenes)].join('');
  const again = parseSavedState(JSON.parse(text));
  expect(again.faults.count).toBe(0);
  expect(again.groups).toHaveLength(registry.groups.size);
  expect(again.scenes).toEqual(scenes);
  for (const client of registry.clients.values()) {
    expect(client.volume).toBeGreaterThanOrEqual(0);
    expect(client.volume).toBeLessThanOrEqual(100);
    expect(Number.isFinite(client.latencyMs)).toBe(true);
  }
}

describe('the text of a state file', () => {
  it('with any damage is no JSON, is set aside, or is used and can be saved', () => {
    let used = 0;
    fc.assert(
      fc.property(mutationsOf(fixtures), (bytes) => {
        let json: unknown;
        try {
          json = JSON.parse(bytes.toString());
        } catch {
          return;
        }
        const state = parsed(json);
        if (state) expectUsable(state);
        used += 1;
      }),
      { numRuns: 1500 },
    );
    expect(used).toBeGreaterThan(50);
  });

  it('of any JSON is set aside, or used and can be saved', () => {
    const clients = fc.array(hostileObject(keys), { maxLength: 3 });
    const groups = fc.array(
      fc
        .tuple(hostileObject(keys), clients)
        .map(([group, members]) => ({ ...group, clients: members })),
      { maxLength: 3 },
    );
    const json = fc.oneof(
      hostileJson(keys),
      hostileObject(keys),
      groups.map((Groups) => ({ Groups })),
    );
    fc.assert(
      fc.property(json, (value) => {
        const state = parsed(JSON.parse(JSON.stringify(value)));
        if (state) expectUsable(state);
      }),
      { numRuns: 700 },
    );
  });
});
