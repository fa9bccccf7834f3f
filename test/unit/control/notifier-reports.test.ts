import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noProperties } from '../../../src/audio/stream-properties.ts';
import type { ClientRecord } from '../../../src/clients/client-record.ts';
import type { Requester } from '../../../src/streams/change.ts';
import type { StreamChannel } from '../../../src/streams/stream-channel.ts';
import { FakeTime } from '../../support/fake-time.ts';
import { intervals, type Listener, NotifierRig } from '../../support/notifier-rig.ts';

const { streamMs, volumeMs } = intervals;
let rig: NotifierRig;
let time: FakeTime;
let played: StreamChannel;
let client: ClientRecord;

beforeEach(async () => {
  rig = new NotifierRig();
  writeFileSync(join(rig.rig.folder, 'player'), '');
  played = await rig.stream('played', '&controlscript=player');
  client = rig.known('c1');
  time = FakeTime.install();
});

afterEach(async () => {
  time.remove();
  await rig.close();
});

function playsAt(position: number, channel = played): void {
  rig.rig.script.tell({ ...noProperties, position });
  rig.announce({ kind: 'stream-properties', channel });
}

/** A player that turns its own knob; `by` when it is a controller that does it. */
function turns(volume: number, { of = client, by }: { of?: ClientRecord; by?: Requester } = {}) {
  rig.rig.registry.report(of, { volume, muted: false });
  rig.announce({ kind: 'client-volume', client: of }, by);
}

function told<Params>(who: Listener, method: string): Params[] {
  return who.heard.filter((heard) => heard.method === method).map(({ params }) => params as Params);
}

const positions = (who: Listener) =>
  told<{ properties: { position: number } }>(who, 'Stream.OnProperties').map(
    ({ properties }) => properties.position,
  );
const volumes = (who: Listener) =>
  told<{ volume: { percent: number } }>(who, 'Client.OnVolumeChanged').map(
    ({ volume }) => volume.percent,
  );

describe('the properties of a stream', () => {
  it('are told at once, then once per interval as they are by then', async () => {
    for (let position = 1; position <= 1000; position += 1) playsAt(position);
    expect(positions(rig.ann)).toEqual([1]);
    await time.pass(streamMs - 1);
    expect(positions(rig.ann)).toEqual([1]);
    await time.pass(1);
    expect(positions(rig.ann)).toEqual([1, 1000]);
    playsAt(1001);
    await time.pass(streamMs);
    expect(positions(rig.ann)).toEqual([1, 1000, 1001]);
    expect(positions(rig.bob)).toEqual(positions(rig.ann));
    await time.pass(streamMs);
    expect(time.timers).toBe(0);
  });

  it('are told at once again after a time of rest', async () => {
    playsAt(1);
    await time.pass(streamMs);
    playsAt(2);
    expect(positions(rig.ann)).toEqual([1, 2]);
  });

  it('do not wait for those of another stream', async () => {
    const other = await rig.stream('other', '&controlscript=player');
    playsAt(1);
    playsAt(2, other);
    expect(positions(rig.ann)).toEqual([1, 2]);
  });

  it.each([
    ['the stream is gone', () => rig.announce({ kind: 'stream-removed', channel: played })],
    ['nobody is told anything', () => rig.notifier.stop()],
  ])('are not told any more once %s', async (_, end) => {
    playsAt(1);
    playsAt(2);
    end();
    await time.pass(streamMs);
    expect(positions(rig.ann)).toEqual([1]);
  });
});

describe('the volume that a player tells', () => {
  it('is told at once, then once per interval as it is by then', async () => {
    for (let volume = 1; volume <= 99; volume += 1) turns(volume);
    expect(volumes(rig.ann)).toEqual([1]);
    await time.pass(volumeMs - 1);
    expect(volumes(rig.ann)).toEqual([1]);
    await time.pass(1);
    expect(volumes(rig.ann)).toEqual([1, 99]);
    await time.pass(2 * volumeMs);
    expect(volumes(rig.bob)).toEqual([1, 99]);
    expect(time.timers).toBe(0);
  });

  it('does not wait for that of another player', () => {
    turns(1);
    turns(2, { of: rig.known('c2') });
    expect(volumes(rig.ann)).toEqual([1, 2]);
  });

  it('keeps back nothing that controllers do, and is told behind it', async () => {
    turns(10);
    for (const volume of [20, 30]) turns(volume, { by: rig.bob });
    turns(10);
    expect(volumes(rig.ann)).toEqual([10, 20, 30]);
    await time.pass(volumeMs);
    expect(volumes(rig.ann)).toEqual([10, 20, 30, 10]);
    expect(volumes(rig.bob)).toEqual([10, 10]);
  });

  it('is not told any more once the player is forgotten', async () => {
    turns(1);
    turns(2);
    rig.announce({ kind: 'client-removed', client });
    await time.pass(volumeMs);
    expect(volumes(rig.ann)).toEqual([1]);
  });
});
