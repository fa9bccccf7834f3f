import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { metaCircle } from '../../../src/audio/meta-options.ts';
import { noProperties } from '../../../src/audio/stream-properties.ts';
import { DirectoryRig } from '../../support/directory-rig.ts';
import { FifoWriter, openDescriptors, scratchFolder } from '../../support/fifo.ts';
import { numberedBytes } from '../../support/pcm-fixtures.ts';
import { until } from '../../support/waiting.ts';

let folder: ReturnType<typeof scratchFolder>;
let rig: DirectoryRig;
let descriptors: number;
/** End what plays. */
let stops: Set<() => void>;

beforeEach(() => {
  descriptors = openDescriptors();
  folder = scratchFolder();
  rig = new DirectoryRig({ sourceDirs: [folder.path], pluginDir: folder.path });
  stops = new Set();
});

afterEach(async () => {
  for (const stop of stops) stop();
  await rig.directory.close();
  await until(() => openDescriptors() <= descriptors, 'all descriptors are closed');
  expect(rig.pool.isFull).toBe(true);
  rig.pool.close();
  folder.remove();
});

const pipe = (name: string, more = '') =>
  `pipe://${join(folder.path, name)}?name=${name}&codec=pcm${more}`;
const channel = (name: string) => rig.directory.channels.get(name)!;
const stateOf = (name: string) => channel(name).stream.state;

/** Writes to the fifo of a stream until it is told to end. */
function play(name: string): () => void {
  const writer = new FifoWriter(join(folder.path, name));
  const producer = setInterval(() => writer.write(numberedBytes(3840)), 15);
  const stop = () => {
    if (!stops.delete(stop)) return;
    clearInterval(producer);
    writer.close();
  };
  stops.add(stop);
  return stop;
}

async function configure(...addresses: readonly string[]): Promise<void> {
  for (const address of addresses) await rig.directory.addConfigured(address);
}

describe('a meta stream', () => {
  it('is the default stream when it stands first, also before its children', async () => {
    await configure('meta:///A/B?name=M', pipe('A', '&codec=null'), pipe('B'));
    expect(rig.directory.default).toBe(channel('M'));
    expect(stateOf('M')).toBe('idle');
    const stop = play('B');
    await until(() => stateOf('M') === 'playing', 'it plays what its child plays');
    stop();
    await until(() => stateOf('M') === 'idle', 'it is idle when its child is');
  });

  it('takes in a child that comes later, and lets go of one that goes, again and again', async () => {
    await configure('meta:///A/B?name=M', pipe('A'));
    for (let time = 0; time < 100; time += 1) {
      await rig.directory.add(`tone:///?name=B&codec=pcm`);
      expect(stateOf('M')).toBe('playing');
      await rig.directory.remove('B');
      expect(stateOf('M')).toBe('idle');
    }
    expect(rig.names).toEqual(['M', 'A']);
  }, 30_000);

  it('stays when a child is changed, and follows the new one', async () => {
    const meta = 'meta:///A?name=M';
    await rig.directory.reconfigure([meta, 'tone:///?name=A']);
    const before = channel('M');
    expect(stateOf('M')).toBe('playing');
    const { unchanged, replaced } = await rig.directory.reconfigure([meta, pipe('A')]);
    expect([unchanged, replaced]).toEqual([['M'], ['A']]);
    expect(channel('M')).toBe(before);
    expect(stateOf('M')).toBe('idle');
    play('A');
    await until(() => stateOf('M') === 'playing', 'it follows the new one');
    const report = await rig.directory.reconfigure(['meta:///A/B/C?name=M', pipe('A')]);
    expect(report.replaced).toEqual(['M']);
    expect(rig.log.with('meta stream waits for others').map(({ fields }) => fields)).toEqual([
      { stream: 'M', missing: 'B, C' },
    ]);
    expect(channel('M')).not.toBe(before);
  });

  it('says which of all others it is not made of when they are too many', async () => {
    const tones = Array.from({ length: 66 }, (_, at) => `tone:///?name=${at}&codec=pcm`);
    await configure('meta:///*?name=M', ...tones.slice(0, 64));
    const told = () => rig.log.with('streams at most').map(({ fields }) => fields);
    expect(told()).toEqual([]);
    await configure(...tones.slice(64));
    expect(told()).toHaveLength(2);
    await rig.directory.remove('65');
    await rig.directory.remove('64');
    expect(told()).toHaveLength(2);
  });

  it.each([
    ['meta:///?name=M', "Meta stream 'M' must contain at least one stream"],
    ['meta:///A/X?name=M', 'Unknown stream: "X"'],
    ['meta:///M?name=M', "Meta stream 'M' would contain itself: M → M"],
    ['meta:///A/N?name=I', "Meta stream 'I' would contain itself: I → N → I"],
    ['meta://A/B?name=M', 'write meta:///A/B?name=M'],
    ['meta:///A?name=M&mode=random', 'write priority or recent'],
    ['meta:///A?name=M&missing=maybe', 'write wait or fail'],
    ['meta:///A?name=M&hold_ms=long', 'hold_ms=long cannot be used'],
    ['meta:///A?name=M&fade_ms=x', 'fade_ms=x cannot be used'],
    [`meta:///${Array.from({ length: 65 }, (_, at) => at).join('/')}?name=M`, '64 are the limit'],
  ])('is refused to a controller: %s', async (address, fault) => {
    await configure(pipe('A'), 'meta:///I?name=N');
    await expect(rig.directory.add(address)).rejects.toThrow(fault);
    expect(rig.names).toEqual(['A', 'N']);
  });

  it('is refused when it is asked for beside one that would contain it', async () => {
    const asked = [
      rig.directory.add('meta:///N?name=M&missing=wait'),
      rig.directory.add('meta:///M?name=N&missing=wait'),
    ];
    const [first, second] = await Promise.allSettled(asked);
    expect([first!.status, second!.status].sort()).toEqual(['fulfilled', 'rejected']);
    expect(rig.names).toHaveLength(1);
  });

  it('is found to contain itself or not, however often others contain the same ones', async () => {
    const layers = Array.from({ length: 40 }, (_, layer) => [`${layer}a`, `${layer}b`]);
    const below = new Map(
      layers.flatMap((names, layer) => names.map((name) => [name, layers[layer + 1] ?? ['end']])),
    );
    expect(metaCircle('M', (name) => (name === 'M' ? layers[0] : below.get(name)))).toBe(undefined);
    below.set('end', ['39a', 'M']);
    const circle = metaCircle('M', (name) => (name === 'M' ? layers[0] : below.get(name)));
    expect(circle).toHaveLength(43);
  });

  it('refuses missing children in the configuration only if it is told to', async () => {
    await configure('meta:///A?name=M&missing=fail', 'meta:///A?name=N');
    expect(rig.names).toEqual(['N']);
    expect(rig.log.with('stream left out')[0]?.fields).toEqual({ reason: 'Unknown stream: "A"' });
    await rig.directory.add('meta:///B?name=P&missing=wait');
    expect(rig.names).toEqual(['N', 'P']);
  });

  it('says what of its address has no effect, and what is taken otherwise', async () => {
    await configure('meta:///A?name=M&controlscript=x.py&idle_threshold=5000&hold_ms=99999');
    expect(
      rig.log.with('stream address is not as it should be').map(({ fields }) => fields),
    ).toEqual([
      { stream: 'M', reason: 'controlscript has no effect on a meta stream' },
      { stream: 'M', reason: 'idle_threshold has no effect on a meta stream' },
      {
        stream: 'M',
        reason: 'hold_ms=99999 is taken as 60000: write a number from 0 to 60000 ms',
      },
    ]);
    expect(rig.scripts).toEqual([]);
  });

  it('has all others in their order, but no meta streams, in the place of a star', async () => {
    await configure(
      'meta:///*?name=M',
      pipe('A'),
      'meta:///A?name=N',
      'tone:///?name=B',
      pipe('C'),
    );
    await rig.directory.reconfigure([
      ...['meta:///*?name=M', pipe('A'), 'meta:///A?name=N', 'tone:///?name=B', pipe('C')],
    ]);
    const played = () =>
      rig.log.with('meta stream plays another stream').map(({ fields }) => fields);
    expect(played().at(-1)).toMatchObject({ stream: 'M', to: 'B' });
    const stop = play('A');
    await until(() => played().some((it) => it.stream === 'M' && it.to === 'A'), 'A is before B');
    stop();
    play('C');
    await until(() => stateOf('C') === 'playing', 'C plays');
    await until(() => stateOf('A') === 'idle', 'A is over');
    expect(
      played()
        .filter(({ stream }) => stream === 'M')
        .at(-1),
    ).toMatchObject({ to: 'B' });
  });

  it('shows what its child plays, and leads commands to the right one', async () => {
    writeFileSync(join(folder.path, 'player.py'), '#!/bin/sh\n', { mode: 0o755 });
    const script = '&codec=null&controlscript=player.py';
    await configure('meta:///N/C?name=M', 'meta:///A/B?name=N', pipe('A', script));
    await configure(pipe('B', script), pipe('C'));
    const [a, b] = rig.scripts.map(({ request }) => request);
    const can = { ...noProperties, canPlay: true, canPause: true, canControl: true };
    const target = (command?: string) => channel('M').targetOf(command).id;
    rig.announcements.length = 0;
    a!.onProperties({ ...noProperties, metadata: { title: 'of A', artUrl: 'http://h/a.png' } });
    expect(rig.told).toEqual(['A', 'N', 'M'].map((id) => `stream-properties ${id}`));
    expect(channel('M').properties).toEqual(channel('A').properties);
    expect([target('play'), target('pause'), target()]).toEqual(['A', 'A', 'A']);
    b!.onProperties({ ...can, metadata: { title: 'of B' } });
    // A is idle and cannot, B can.
    expect([target('play'), target('playPause'), target('next')]).toEqual(['B', 'B', 'A']);
    play('B');
    await until(() => stateOf('M') === 'playing', 'B is heard');
    expect(channel('M').properties.metadata).toEqual({ title: 'of B' });
    expect([target('play'), target('playPause'), target('seek')]).toEqual(['B', 'B', 'B']);
    a!.onProperties(can);
    expect([target('play'), target('playPause'), target()]).toEqual(['A', 'B', 'B']);
    expect(channel('M').properties.metadata).toEqual({ title: 'of B' });
  });

  it('may be made of meta streams, whose names may be percent-encoded', async () => {
    await configure(
      'meta:///Inner%20one/A?name=M',
      'meta:///B?name=Inner one',
      pipe('A'),
      pipe('B'),
    );
    play('B');
    await until(() => stateOf('M') === 'playing', 'it plays the child of a child');
    expect(stateOf('Inner one')).toBe('playing');
  });

  it('makes on-demand children play while it is listened to, and no longer', async () => {
    await configure('meta:///A?name=M&codec=pcm', 'tone:///?name=A&codec=null');
    const count = () => channel('M').stream.encodeFigures.encodedChunks;
    const reader = channel('M').openReader(0, () => undefined);
    await until(() => count() > 10, 'its listener gets the tone of the child');
    channel('M').closeReader(reader);
    const encoded = count();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(count()).toBe(encoded);
    expect(channel('A').stream.encodeFigures.encodedChunks).toBe(0);
  });
});
