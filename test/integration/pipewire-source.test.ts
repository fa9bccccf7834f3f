import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { loadNativeAddon } from '../../src/base/native/native-addon.ts';
import { openInputQueue } from '../../src/transport/input-queue.ts';
import { childPrograms } from '../support/child-programs.ts';
import { longestExactRun } from '../support/pcm-compare.ts';
import { PipeWireSession, pipeWireIsMissing } from '../support/pipewire-session.ts';
import { ReloadRig, sources } from '../support/reload-rig.ts';
import { StreamRig } from '../support/stream-rig.ts';
import { uniqueSignal } from '../support/test-signal.ts';
import { until } from '../support/waiting.ts';

const cd = SampleFormat.parse('48000:16:2');
/** On a busy machine there are xruns: so much is heard without any. */
const exactSeconds = 1;
const inputQueue = openInputQueue(loadNativeAddon());

let session: PipeWireSession;
const rigs: StreamRig[] = [];

/** A stream that somebody listens to. */
async function listen(name: string, parameters: string): Promise<StreamRig> {
  const address = `pipewire://?name=${encodeURIComponent(name)}&runtime_dir=${session.folder}${parameters}`;
  const rig = new StreamRig(address, {}, undefined, { inputQueue });
  rigs.push(rig);
  return rig.play();
}

/** Plays until a second of it was heard as it was played. */
async function expectExact(
  rig: StreamRig,
  target: string,
  { format = cd, fed = uniqueSignal({ format, seconds: 1.5 }), attempts = 4 } = {},
): Promise<void> {
  let frames = 0;
  for (let attempt = 0; attempt < attempts && frames < exactSeconds * format.rateHz; attempt += 1) {
    const before = rig.audio.length;
    const player = session.play(fed, { format, target });
    await player.ended;
    const recorded = rig.audio.subarray(before);
    frames = longestExactRun({ fed, recorded, format }).frames;
  }
  expect(frames).toBeGreaterThanOrEqual(exactSeconds * format.rateHz);
}

describe.skipIf(pipeWireIsMissing)('a stream of PipeWire', () => {
  beforeAll(async () => {
    session = await new PipeWireSession().start();
    await session.createSink('zc_sink');
  });
  afterAll(() => session.close());
  afterEach(async () => {
    for (const rig of rigs.splice(0)) await rig.close();
  });

  it('is a sink that players choose, and sends what they play bit by bit', async () => {
    const plays = ['48000:16:2', '48000:24:2', '48000:32:1'].map(async (text) => {
      const format = SampleFormat.parse(text);
      const name = `Living room ${text}`;
      const rig = await listen(name, `&sampleformat=${text}`);
      await session.hasNode(name);
      const fed = uniqueSignal({ format, seconds: 1.5 });
      // What is more precise than a float is lost in PipeWire.
      if (format.bits === 32) for (let at = 0; at < fed.length; at += 4) fed[at] = 0;
      await expectExact(rig, name, { format, fed });
      await until(() => rig.stream.state === 'idle', 'nobody plays any more');
      expect(rig.states).toContain('playing');
    });
    await Promise.all(plays);
  });

  it('hears what a sink plays', async () => {
    const rig = await listen('Monitor', '&capture_sink=true&target=zc_sink');
    await expectExact(rig, 'zc_sink');
  });

  it.each(['', '&target=auto'])('hears the sink that is the usual one: %j', async (target) => {
    const rig = await listen('Usual', `&capture_sink=true${target}`);
    await expectExact(rig, 'zc_sink');
  });

  it('finds PipeWire by the path of its socket, and by its name', async () => {
    const socket = `${session.folder}/pipewire-0`;
    const byPath = new StreamRig(`pipewire://?name=Path&remote=${socket}`, {}, undefined, {
      inputQueue,
    });
    rigs.push(byPath);
    await byPath.play();
    await session.hasNode('Path');
    await listen('Name', '&remote=pipewire-0');
    await session.hasNode('Name');
    const other = await listen('Other', '&remote=pipewire-9');
    await until(() => other.log.with('program ended').length > 0, 'there is no such socket');
    expect(String(other.log.with('program ended')[0]?.fields.hint)).toContain('runtime_dir');
  });

  it('hears an application', async () => {
    const fed = uniqueSignal({ format: cd, seconds: 3 });
    const player = session.play(fed, { format: cd, target: 'zc_sink', name: 'music' });
    const rig = await listen('App', '&target=music');
    await player.ended;
    const { frames } = longestExactRun({ fed, recorded: rig.audio, format: cd });
    expect(frames).toBeGreaterThanOrEqual(exactSeconds * cd.rateHz);
  });

  it('waits for its target, comes back to it, and never hears another one instead', async () => {
    const rig = await listen('Late', '&capture_sink=true&target=late_sink');
    const other = session.play(uniqueSignal({ format: cd, seconds: 2 }), {
      format: cd,
      target: 'zc_sink',
    });
    await other.ended;
    expect(rig.published).toEqual([]);
    await session.createSink('late_sink');
    await expectExact(rig, 'late_sink', { attempts: 8 });
    await session.removeNode('late_sink');
    await until(() => rig.stream.state === 'idle', 'the sink is gone');
    await session.createSink('late_sink');
    await expectExact(rig, 'late_sink', { attempts: 8 });
    expect(String(rig.log.with('program ended')[0]?.fields.hint)).toContain('target');
  });

  it('sends silence of a sink that nobody plays to when it is to, and else nothing', async () => {
    const quiet = await listen('Quiet', '');
    const silent = await listen('Silent', '&send_silence=true');
    await until(() => silent.published.length >= 50, 'a second of silence is sent');
    expect(silent.audio.every((byte) => byte === 0)).toBe(true);
    expect([silent.stream.state, silent.states]).toEqual(['idle', []]);
    expect(quiet.published).toEqual([]);
  });

  it.each([
    'a "quoted" name',
    'back\\slash { media.class=Audio/Source }',
    "--target 5 'x'",
    'two\nlines',
    'Küche 🎵',
  ])('has the name of its stream, whatever that is: %j', async (name) => {
    const rig = await listen(name, '');
    await session.hasNode(name);
    expect((await session.nodes()).get(name)).toContain('media.class = "Audio/Sink"');
    expect(rig.log.with('program ended')).toEqual([]);
  });

  it.each(['--help', '-P{ node.name=smuggled }', '--target=0 --verbose'])(
    'takes a target for no option: %s',
    async (target) => {
      const rig = await listen('Safe', `&target=${encodeURIComponent(target)}`);
      await until(() => rig.log.with('program ended').length > 0, 'there is no such node');
      expect(rig.log.with('program ended')[0]?.fields.hint).toContain('target');
      expect([...(await session.nodes()).keys()]).not.toContain('smuggled');
      expect(rig.audio.length).toBe(0);
    },
  );

  it('leaves no program behind', async () => {
    const rig = await listen('Short', '');
    await session.hasNode('Short');
    expect(childPrograms()).toContain('pw-record');
    await rig.stream.stop();
    expect(childPrograms()).not.toContain('pw-record');
    expect([...(await session.nodes()).keys()]).not.toContain('Short');
  });

  it('waits for PipeWire, and for its return', async () => {
    await session.stop();
    const rig = await listen('Patient', '');
    await until(() => rig.log.with('program ended').length > 1, 'it has looked twice');
    const [first, second] = rig.log.with('program ended');
    expect(first).toMatchObject({ level: 'warn' });
    expect(String(first?.fields.hint)).toContain('runtime_dir');
    expect(second).toMatchObject({ level: 'debug' });
    await session.start();
    await session.hasNode('Patient');
    await expectExact(rig, 'Patient');
    await session.stop();
    await until(() => rig.stream.state === 'idle', 'PipeWire is gone');
    await session.start();
    await session.hasNode('Patient');
    await expectExact(rig, 'Patient');
  });

  it('is added and removed by a controller, and turned to another node by a reload', async () => {
    const address = (name: string, parameters = '') =>
      `pipewire://?name=${name}&runtime_dir=${session.folder}${parameters}`;
    const server = await ReloadRig.start(sources(address('A')));
    const isGone = async (name: string) => {
      while ((await session.nodes()).has(name)) await new Promise((wait) => setTimeout(wait, 50));
    };
    try {
      await session.hasNode('A');
      expect((await session.nodes()).get('A')).toContain('media.class = "Audio/Sink"');
      await session.createSink('reloaded');
      const report = await server.reload(
        sources(address('A', '&capture_sink=true&target=reloaded')),
      );
      expect(report.streams).toMatchObject({ replaced: ['A'] });
      const isListener = async () =>
        (await session.nodes()).get('A')?.includes('media.class = "Stream/Input/Audio"');
      while (!(await isListener())) await new Promise((wait) => setTimeout(wait, 50));
      const { application } = server;
      const streamUri = address('B');
      expect(await application.request('Stream.AddStream', { streamUri })).toEqual({ id: 'B' });
      await session.hasNode('B');
      await application.request('Stream.RemoveStream', { id: 'B' });
      await isGone('B');
    } finally {
      await server.close();
    }
    await isGone('A');
  });
});
