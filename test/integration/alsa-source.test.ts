import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { loadNativeAddon } from '../../src/base/native/native-addon.ts';
import { openInputQueue } from '../../src/transport/input-queue.ts';
import { AlsaDevices, alsaIsMissing, alsaWays } from '../support/alsa-devices.ts';
import { openDescriptors } from '../support/fifo.ts';
import { longestExactRun } from '../support/pcm-compare.ts';
import { numberedBytes } from '../support/pcm-fixtures.ts';
import { PipeWireSession, pipeWireIsMissing } from '../support/pipewire-session.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { SourceHarness } from '../support/source-harness.ts';
import { StreamRig } from '../support/stream-rig.ts';
import { uniqueSignal } from '../support/test-signal.ts';
import { until } from '../support/waiting.ts';

const cd = SampleFormat.parse('48000:16:2');
/** On a busy machine there are overruns: so much is heard without any. */
const exactSeconds = 1;
const inputQueue = openInputQueue(loadNativeAddon());
const threads = () => readdirSync('/proc/self/task').length;

describe.skipIf(alsaIsMissing).each(alsaWays)('a stream of ALSA, by %s', (_, environment) => {
  let folder: string;
  let devices: AlsaDevices;
  const rigs: StreamRig[] = [];
  const harnesses: SourceHarness[] = [];

  beforeAll(() => {
    folder = makeScratchFolder();
    devices = new AlsaDevices(folder);
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    vi.stubEnv('ALSA_CONFIG_PATH', devices.configuration);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    removeScratchFolder(folder);
  });
  afterEach(async () => {
    for (const rig of rigs.splice(0)) await rig.close();
    for (const { source } of harnesses.splice(0)) await source.stop();
  });

  const addressOf = (device: string, parameters: string) =>
    `alsa:///?name=Line&device=${encodeURIComponent(device)}${parameters}`;

  /** A source that is read as fast as it can be. */
  async function open(device: string, parameters = ''): Promise<SourceHarness> {
    const harness = await SourceHarness.open(addressOf(device, parameters), { inputQueue });
    harnesses.push(harness);
    return harness.start();
  }

  /** A stream that somebody listens to. */
  async function listen(device: string, parameters = ''): Promise<StreamRig> {
    const address = addressOf(device, parameters);
    const rig = new StreamRig(address, {}, undefined, { inputQueue });
    rigs.push(rig);
    return rig.play();
  }

  /** What the log says of a device that is not heard. */
  const complaints = ({ records }: SourceHarness) =>
    records.filter(({ level }) => level === 'warn').map(({ fields }) => JSON.stringify(fields));

  it.each([
    ['48000:16:2', ''],
    ['44100:24:2', ''],
    ['44100:24:2', '&packed_s24le=true'],
    ['96000:32:1', ''],
    ['16000:8:1', ''],
    ['48000:16:6', ''],
  ])('hears %s bit by bit%s', async (text, parameters) => {
    const format = SampleFormat.parse(text);
    const music = uniqueSignal({ format, seconds: 0.5 });
    const expected = parameters === '' ? music : packed(music);
    devices.hears('mic', expected);
    const harness = await open('mic', `&sampleformat=${text}${parameters}`);
    expect(String(harness.source.format)).toBe(text);
    expect((await harness.read(expected.length)).equals(expected)).toBe(true);
    expect(complaints(harness)).toEqual([]);
  });

  it('plays while the device hears something, and sends nothing of its silence', async () => {
    const heard = uniqueSignal({ format: cd, seconds: 0.4 });
    devices.hears('door', Buffer.concat([heard, Buffer.alloc(192_000 * 3)]));
    const rig = await listen('door', '&idle_threshold=200');
    await until(() => rig.states.includes('playing'), 'it plays');
    await until(() => rig.stream.state === 'idle', 'it is idle');
    const sent = rig.published.length;
    // So much silence comes with it: the threshold, and the chunks at both ends.
    expect(sent).toBeLessThanOrEqual((400 + 200) / 20 + 3);
  });

  it('sends silence when it is to, and is idle all the same', async () => {
    devices.hears('quiet', Buffer.alloc(192_000));
    const quiet = await listen('quiet');
    const silent = await listen('quiet', '&send_silence=true');
    await until(() => silent.published.length >= 20, 'silence is sent');
    expect(silent.audio.every((byte) => byte === 0)).toBe(true);
    expect([silent.stream.state, quiet.published.length]).toEqual(['idle', 0]);
  });

  it('takes quiet noise for silence up to the threshold', async () => {
    devices.hears('hiss', Buffer.alloc(192_000, Buffer.from([1, 0, 255, 255])));
    const hiss = await listen('hiss', '&silence_threshold_percent=1');
    const heard = await listen('hiss');
    await until(() => heard.published.length > 10, 'it is heard without a threshold');
    expect([hiss.stream.state, hiss.published.length]).toEqual(['idle', 0]);
  });

  it('is made of chunks of the asked length', async () => {
    devices.hears('mic', numberedBytes(192_000));
    const rig = await listen('mic', '&chunk_ms=50');
    await until(() => rig.published.length > 2, 'chunks came');
    expect(rig.published[0]?.payload.length).toBe(192 * 50);
  });

  it('waits for a device that is missing, says so once, and hears it when it is there', async () => {
    devices.remove('late');
    const harness = await open('late');
    await until(() => complaints(harness).length > 0, 'it is missed');
    const expected = numberedBytes(96_000);
    devices.hears('late', expected);
    expect((await harness.read(expected.length)).equals(expected)).toBe(true);
    expect(complaints(harness)).toHaveLength(1);
    expect(complaints(harness)[0]).toContain('arecord -L');
  });

  it.each([
    '-v',
    '--help',
    '--device=null',
    'null -v',
    '"null"',
    "'null'",
    'null\n-v',
    'nul$(touch x)',
    'Küche 🎵',
    '%00',
  ])('takes %j for the name of a device, and nothing else', async (device) => {
    const harness = await open(device);
    harness.ask(3840);
    await until(() => complaints(harness).length > 0, 'there is no such device');
    expect(complaints(harness).join()).toMatch(/No such file or directory/);
    expect(harness.filledCount).toBe(0);
  });

  it('hears hw:0 when no device is named', async () => {
    const harness = await SourceHarness.open('alsa:///?name=Line');
    harnesses.push(harness.start());
    if (readdirSync('/dev').includes('snd')) return;
    await until(() => complaints(harness).length > 0, 'there is no card');
    expect(complaints(harness).join()).toContain('No such file or directory');
  });

  it('leaves no child, thread or descriptor behind', async () => {
    devices.hears('mic', numberedBytes(192_000));
    await (await open('mic')).source.stop();
    const before = [openDescriptors(), threads()];
    for (const device of ['mic', 'null', 'missing', 'missing']) {
      const harness = await open(device);
      if (device === 'mic') await harness.read(19_200);
      await harness.source.stop();
    }
    await until(() => openDescriptors() <= before[0]! && threads() <= before[1]!, 'all is gone');
    expect(childrenNamed('arecord')).toEqual([]);
  });
});

describe.skipIf(alsaIsMissing || pipeWireIsMissing).each(alsaWays)(
  'a device of ALSA in real time, by %s',
  (_, environment) => {
    let session: PipeWireSession;
    let folder: string;
    let devices: AlsaDevices;
    let rig: StreamRig | undefined;

    beforeAll(async () => {
      session = await new PipeWireSession().start();
      await session.createSink('zc_sink');
      folder = makeScratchFolder();
      devices = new AlsaDevices(folder);
      devices.define('monitor', '{ type pipewire }');
      devices.define('fixed', '{ type pipewire rate 44100 }');
      for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
      vi.stubEnv('ALSA_CONFIG_PATH', devices.configuration);
      vi.stubEnv('XDG_RUNTIME_DIR', session.folder);
      vi.stubEnv('PIPEWIRE_RUNTIME_DIR', session.folder);
      vi.stubEnv('PIPEWIRE_ALSA', '{ stream.capture.sink=true }');
      vi.stubEnv('PIPEWIRE_NODE', 'zc_sink');
    });
    afterEach(async () => {
      await rig?.stream.stop();
      rig?.pool.close();
      rig = undefined;
    });
    afterAll(async () => {
      vi.unstubAllEnvs();
      removeScratchFolder(folder);
      await session.close();
    });

    async function listen(device: string): Promise<StreamRig> {
      const address = `alsa:///?name=Line&device=${device}`;
      rig = new StreamRig(address, {}, undefined, { inputQueue });
      return rig.play();
    }

    async function expectExact(rig: StreamRig): Promise<void> {
      const fed = uniqueSignal({ format: cd, seconds: 1.5 });
      let frames = 0;
      for (let attempt = 0; attempt < 8 && frames < exactSeconds * cd.rateHz; attempt += 1) {
        const before = rig.audio.length;
        await session.play(fed, { format: cd, target: 'zc_sink' }).ended;
        const recorded = rig.audio.subarray(before);
        frames = longestExactRun({ fed, recorded, format: cd }).frames;
      }
      expect(frames).toBeGreaterThanOrEqual(exactSeconds * cd.rateHz);
    }

    it('is heard bit by bit, also when it was gone and is back', async () => {
      const rig = await listen('monitor');
      await expectExact(rig);
      await session.stop();
      const isMissed = () =>
        rig.log.with('device is not heard').length + rig.log.with('program ended').length > 0;
      await until(isMissed, 'it is missed');
      await session.start();
      await session.createSink('zc_sink');
      await expectExact(rig);
    });

    it('gives its stream the nearest rate that it has, with a warning', async () => {
      const rig = await listen('fixed');
      expect(String(rig.stream.format)).toBe('44100:16:2');
      const [warning] = rig.log.with('stream address is not as it should be');
      expect(warning?.fields.reason).toBe(
        'the device has no 48000 Hz: the stream has its 44100 Hz',
      );
    });
  },
);

/** Without the fourth byte of each container. */
function packed(pcm: Buffer): Buffer {
  return Buffer.from(pcm.filter((_, at) => at % 4 !== 3));
}

function childrenNamed(name: string): string[] {
  const children = readdirSync('/proc/self/task').flatMap((task) => {
    try {
      return readFileSync(`/proc/self/task/${task}/children`, 'utf8').trim().split(' ');
    } catch {
      return [];
    }
  });
  return children.filter((pid) => {
    try {
      return pid !== '' && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === name;
    } catch {
      return false;
    }
  });
}
