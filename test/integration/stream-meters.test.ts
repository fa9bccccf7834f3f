import { afterEach, describe, expect, it } from 'vitest';
import { openDsp } from '../../src/dsp/dsp.ts';
import { metricsAgeMs } from '../../src/http/metrics-route.ts';
import type { LevelReading } from '../../src/metering/level-meter.ts';
import { StreamMeters } from '../../src/metering/stream-meters.ts';
import { ReloadRig, sources } from '../support/reload-rig.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { until } from '../support/waiting.ts';

const tone = (level: number) => sources(`tone:///?name=T&codec=pcm&level=${level}`);

let rig: ReloadRig;
const players: ScriptedClient[] = [];

afterEach(async () => {
  for (const player of players.splice(0)) player.close();
  await rig.close();
});

async function start(text: string): Promise<void> {
  rig = await ReloadRig.start(text);
  players.push(await ScriptedClient.greet(rig.application.ports.streaming, 'a'));
}

async function openMeters(): Promise<StreamMeters> {
  return new StreamMeters({
    streamOf: (id) => rig.application.streams.channels.get(id)?.stream,
    dsp: await openDsp({ reason: 'either does' }),
  });
}

const peakOf = ({ peakDb }: LevelReading) => Math.max(...peakDb);
const isNear = (value: number | undefined, wanted: number) =>
  value !== undefined && Math.abs(value - wanted) < 0.1;

describe('the meters of streams', () => {
  it('tell all who watch, and measure nothing once the last one has gone', async () => {
    await start(tone(-20));
    const meters = await openMeters();
    const { stages } = rig.application.streams.channels.get('T')!.stream;
    let observers = 0;
    const { observe, unobserve } = stages!;
    Object.assign(stages!, {
      observe(this: typeof stages, observer: Parameters<typeof observe>[0]) {
        observers += 1;
        observe.call(stages, observer);
      },
      unobserve(observer: Parameters<typeof observe>[0]) {
        observers -= 1;
        unobserve.call(stages, observer);
      },
    });
    const heard: [number[], number[]] = [[], []];
    const ends = heard.map((times) => meters.watch('T', ({ heardUs }) => times.push(heardUs)));
    await until(() => heard[0].length > 20 && heard[1].length > 20, 'both are told');
    expect(observers).toBe(1);
    ends[0]!();
    ends[0]!();
    const { length } = heard[0];
    const more = heard[1].length + 20;
    await until(() => heard[1].length > more, 'the other one still is');
    expect(heard[0]).toHaveLength(length);
    ends[1]!();
    expect(observers).toBe(0);
  });

  it('follow the stream of a name, however often it is replaced, removed and added', async () => {
    await start(tone(-20));
    const meters = await openMeters();
    let last: number | undefined;
    const end = meters.watch('T', (reading) => {
      last = peakOf(reading);
    });
    await until(() => isNear(last, -20), 'the first one is heard');
    await rig.reload(tone(-10));
    meters.streamsChanged();
    await until(() => isNear(last, -10), 'the second one is');
    await rig.application.streams.remove('T');
    meters.streamsChanged();
    expect(last).toBe(Number.NEGATIVE_INFINITY);
    await rig.application.streams.addTrusted('tone:///?name=T&codec=pcm&level=-30');
    meters.streamsChanged();
    await until(() => isNear(last, -30), 'the third one is');
    end();
  });

  it('wait for a stream that is not there yet', async () => {
    await start(tone(-20));
    const meters = await openMeters();
    let last: number | undefined;
    const end = meters.watch('Later', (reading) => {
      last = peakOf(reading);
    });
    const other = await rig.application.streams.addTrusted('tone:///?name=Later&codec=pcm');
    other.stream.activate();
    meters.streamsChanged();
    await until(() => isNear(last, -20), 'it is heard');
    end();
    other.stream.deactivate();
  });
});

describe('the levels for Prometheus', () => {
  const pause = () => new Promise((resolve) => setTimeout(resolve, metricsAgeMs + 50));

  async function levels(): Promise<ReadonlyMap<string, number>> {
    await pause();
    const response = await fetch(`http://127.0.0.1:${rig.application.ports.http}/metrics`);
    const found = (await response.text()).matchAll(/^zerocast_stream_(\S*(?:db|lufs)\S*) (\S+)$/gm);
    return new Map([...found].map(([, name = '', value]) => [name, Number(value)]));
  }

  it('are those of the last minute for everybody who asks, and only while they are wanted', async () => {
    await start(tone(-20));
    expect(await levels()).toEqual(new Map());
    await rig.reload(`${tone(-20)}[http]\nmetrics_levels = true\n`);
    const name = 'loudness_lufs{stream="T",window="short-term"}';
    let first = await levels();
    while (!first.has(name)) first = await levels();
    const second = await levels();
    for (const found of [first, second]) {
      expect(found.get('peak_dbfs{stream="T"}')).toBeCloseTo(-20, 1);
      // What is measured first begins in the midst of the tone, which overshoots between samples.
      expect(Math.abs(found.get('true_peak_dbtp{stream="T"}')! + 20)).toBeLessThan(1);
      // A sine of 440 Hz in two channels.
      for (const window of ['momentary', 'short-term', 'integrated']) {
        const loudness = found.get(`loudness_lufs{stream="T",window="${window}"}`);
        expect(Math.abs(loudness! + 20.7)).toBeLessThan(0.3);
      }
    }
    await rig.reload(tone(-20));
    expect(await levels()).toEqual(new Map());
  });

  it('have what a stream has played that is gone meanwhile no more', async () => {
    await start(`${tone(-20)}[http]\nmetrics_levels = true\n`);
    let found = await levels();
    while (!found.has('peak_dbfs{stream="T"}')) found = await levels();
    await rig.application.streams.remove('T');
    expect(await levels()).toEqual(new Map());
  });
});
