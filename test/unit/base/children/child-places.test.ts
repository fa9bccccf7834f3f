import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { SampleFormat } from '../../../../src/audio/sample-format.ts';
import { createSource } from '../../../../src/audio/sources/sources.ts';
import type { StreamSource } from '../../../../src/audio/sources/stream-source.ts';
import { parseStreamUri } from '../../../../src/audio/stream-uri.ts';
import { ChildPlaces } from '../../../../src/base/children/child-places.ts';
import { LogLines } from '../../../support/log-lines.ts';
import { PluginRig, pluginScript } from '../../../support/plugin-rig.ts';
import { until } from '../../../support/waiting.ts';

const sources: StreamSource[] = [];

function processSource(children: ChildPlaces): StreamSource {
  const source = createSource({
    uri: parseStreamUri('process:///bin/cat?name=P&params=/dev/zero'),
    format: SampleFormat.parse('48000:16:2'),
    formatIsExplicit: false,
    packed24: false,
    bufferMs: 1000,
    chunkMs: 20,
    resyncToleranceMs: 250,
    sendSilence: true,
    logger: new LogLines(),
    children,
  });
  sources.push(source);
  return source;
}

function plugin(children: ChildPlaces): PluginRig {
  const rig = new PluginRig(pluginScript('player.mjs'), {
    children,
    timing: { firstRestartMs: 20, slowestRestartMs: 20 },
  });
  onTestFinished(() => rig.plugin.stop());
  return rig;
}

afterEach(() => Promise.all(sources.splice(0).map((source) => source.stop())));

describe('places for programs', () => {
  it('are as many as the limit says at the moment', () => {
    const limit = { maxChildren: 1 };
    const places = new ChildPlaces(() => limit);
    const giveBack = places.take();
    expect(() => places.take()).toThrow('1 programs and control scripts run already');
    limit.maxChildren = 2;
    places.take();
    giveBack();
    giveBack();
    expect(places.taken).toBe(1);
  });

  it('are taken by process sources, until their program has ended', async () => {
    const places = new ChildPlaces(() => ({ maxChildren: 1 }));
    const first = processSource(places);
    expect(() => processSource(places)).toThrow('raise max_children in the section [limits]');
    await first.stop();
    processSource(places);
    expect(places.taken).toBe(1);
  });

  it('are taken by control scripts, and one without a place begins when there is one', async () => {
    const places = new ChildPlaces(() => ({ maxChildren: 1 }));
    const source = processSource(places);
    const { log, announced } = plugin(places);
    await until(() => log.with('control script cannot be started').length > 0, 'it is logged');
    expect(log.with('control script cannot be started')[0]).toMatchObject({
      level: 'error',
      tag: 'Plugin',
      fields: { error: expect.stringContaining('max_children') },
    });
    expect(announced).toEqual([]);
    await source.stop();
    await until(() => announced.length === 1, 'it runs');
    expect(places.taken).toBe(1);
  });

  it('are given back by control scripts that were stopped', async () => {
    const places = new ChildPlaces(() => ({ maxChildren: 1 }));
    const { plugin: running, announced } = plugin(places);
    await until(() => announced.length === 1, 'it runs');
    expect(places.taken).toBe(1);
    await running.stop();
    expect(places.taken).toBe(0);
  });
});
