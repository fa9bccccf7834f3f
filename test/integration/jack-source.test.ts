import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { createJackSource } from '../../src/audio/sources/jack-source.ts';
import { loadNativeAddon } from '../../src/base/native/native-addon.ts';
import { openInputQueue } from '../../src/transport/input-queue.ts';
import { childPrograms } from '../support/child-programs.ts';
import { JackServer, jackIsMissing } from '../support/jack-server.ts';
import { readMetrics } from '../support/metrics.ts';
import { longestNearRun } from '../support/near-run.ts';
import { ReloadRig, sources } from '../support/reload-rig.ts';
import { StreamRig } from '../support/stream-rig.ts';
import { risingTone } from '../support/test-signal.ts';
import { until } from '../support/waiting.ts';

const cd = SampleFormat.parse('48000:16:2');
/** Floats are rounded, and scaled by one number less than the widest. */
const nearSteps = 2;
/** On a busy machine JACK loses periods now and then. */
const maxAttempts = 6;
const inputQueue = openInputQueue(loadNativeAddon());
const ways = [
  { way: 'by libjack', native: loadNativeAddon() },
  { way: 'by jack-stdout', native: { reason: 'not wanted' } },
] as const;

describe.skipIf(jackIsMissing).each(ways)('a stream of JACK, $way', ({ way, native }) => {
  const byProgram = way === 'by jack-stdout';
  const input = byProgram ? 'input1' : 'input_0';
  const secondInput = byProgram ? 'input2' : 'input_1';
  // The programs look for new ports once in a second.
  const seconds = byProgram ? 2.5 : 1.5;
  let jack: JackServer;
  const rigs: StreamRig[] = [];

  beforeAll(async () => {
    jack = await new JackServer().start();
  });
  afterAll(() => jack.close());
  afterEach(async () => {
    for (const rig of rigs.splice(0)) await rig.close();
  });

  /** A stream that somebody listens to. */
  async function listen(parameters = '', server = jack.name): Promise<StreamRig> {
    const address = `jack:///?name=Jack&server_name=${server}${parameters}`;
    const rig = new StreamRig(address, {}, undefined, { inputQueue }, (context) =>
      createJackSource(context, native),
    );
    rigs.push(rig);
    return rig.play();
  }

  const ownPorts = async () => (await jack.ports()).filter((port) => /:input_?\d$/.test(port));

  /** Plays until each stream has heard a second of it as it was played. */
  async function expectHeard(listeners: readonly StreamRig[]): Promise<void> {
    const format = SampleFormat.parse('48000:24:2');
    const waiting = new Set(listeners);
    for (let attempt = 0; attempt < maxAttempts && waiting.size > 0; attempt += 1) {
      const before = new Map(listeners.map((rig) => [rig, rig.audio.length]));
      const { program } = await jack.play(risingTone({ format, seconds }), format);
      await program.ended;
      for (const rig of waiting) {
        if (nearFrames(rig, before.get(rig)) >= cd.rateHz) waiting.delete(rig);
      }
    }
    expect([...waiting].map((rig) => `${rig.stream.format}: ${nearFrames(rig, 0)}`)).toEqual([]);
  }

  /** How long it has heard the tone without a fault. */
  function nearFrames({ audio, stream: { format } }: StreamRig, from = 0): number {
    const fed = risingTone({ format, seconds });
    const steps = nearSteps * 2 ** (format.bits - 16);
    return longestNearRun({ fed, recorded: audio.subarray(from), format, steps });
  }

  it('plays what it is connected to, in every width', async () => {
    const rigs = await Promise.all(
      ['48000:16:2', '48000:24:2', '48000:32:2'].map((text) =>
        listen(`&sampleformat=${text}&autoconnect=jack-play`),
      ),
    );
    await expectHeard(rigs);
    for (const rig of rigs) {
      await until(() => rig.stream.state === 'idle', 'nobody plays any more');
      expect(rig.states).toContain('playing');
    }
  });

  it('connects nothing by itself unless it is told to, and hears what others connect', async () => {
    const rig = await listen();
    await until(() => rig.log.with('stream started').length > 0, 'it has started');
    while ((await ownPorts()).length < 2);
    const { client, program } = await jack.play(risingTone({ format: cd, seconds: 10 }), cd);
    for (const [index, from] of [`${client}:out_1`, `${client}:out_2`].entries()) {
      expect(await jack.connectionsOf(from)).toEqual([]);
      // The server throws out a program that it finds too slow, and that is started again.
      while ((await jack.connectionsOf(from)).length === 0) {
        const ports = await ownPorts();
        await jack.connect(from, ports[index] ?? '').catch(() => undefined);
      }
    }
    await until(() => rig.stream.state === 'playing', 'it is heard');
    await program.stop();
  });

  it('connects the ports that match, in their order, without those to be skipped', async () => {
    await listen(
      '&sampleformat=48000:16:1&autoconnect=^system:capture_[0-9]%2B$&autoconnect_skip=1',
    );
    const connected = () => jack.connectionsOf('system:capture_2');
    while ((await connected()).length === 0) await new Promise((wait) => setTimeout(wait, 100));
    expect((await connected())[0]).toMatch(new RegExp(`:${input}$`));
    expect(await jack.connectionsOf('system:capture_1')).toEqual([]);
  });

  it('connects whatever there is when the expression is empty, and warns', async () => {
    const rig = await listen('&autoconnect=');
    const connected = () => jack.connectionsOf('system:capture_2');
    while ((await connected()).length === 0) await new Promise((wait) => setTimeout(wait, 100));
    expect((await connected())[0]).toMatch(new RegExp(`:${secondInput}$`));
    const reasons = rig.log
      .with('stream address is not as it should be')
      .map(({ fields }) => fields.reason);
    expect(reasons).toEqual([expect.stringContaining('connects whatever there is')]);
  });

  it('sends the silence of ports without a connection when it is to, and else nothing', async () => {
    const [quiet, silent] = [await listen(), await listen('&send_silence=true')];
    await until(() => silent.published.length >= 50, 'a second of silence is sent');
    expect(silent.audio.every((byte) => byte === 0)).toBe(true);
    expect([silent.stream.state, quiet.published.length]).toEqual(['idle', 0]);
  });

  it('stays stopped when its rate is not that of JACK, and says so', async () => {
    const rig = await listen('&sampleformat=44100:16:2');
    await until(() => rig.stream.state === 'disabled', 'it gives up');
    expect(rig.stream.fault?.message).toContain('runs at 48000 Hz, not at 44100');
  });

  it('stays stopped when what it is to connect is no expression', async () => {
    const rig = await listen('&autoconnect=a(b');
    await until(() => rig.stream.state === 'disabled', 'it gives up');
    expect(rig.stream.fault?.message).toContain('autoconnect is no regular expression');
  });

  it('takes what an address says for no option', async () => {
    const rig = await listen('&autoconnect=--help&sampleformat=48000:16:1', '--help');
    const phrase = byProgram ? 'program ended' : 'device is not heard';
    await until(() => rig.log.with(phrase).length > 0, 'there is no such server');
    expect(String(rig.log.with(phrase)[0]?.fields.hint)).toContain('server_name');
  });

  it('is gone from JACK when it is stopped, with its programs', async () => {
    const rig = await listen('&autoconnect=.');
    while ((await ownPorts()).length < 2) await new Promise((wait) => setTimeout(wait, 50));
    await rig.stream.stop();
    expect(await ownPorts()).toEqual([]);
    expect(childPrograms().filter((name) => name.startsWith('jack-stdout'))).toEqual([]);
  });

  it('waits for JACK, and for its return', async () => {
    await jack.stop();
    const rig = await listen('&autoconnect=jack-play');
    const phrase = byProgram ? 'program ended' : 'device is not heard';
    await until(() => rig.log.with(phrase).length > 0, 'it has looked');
    expect(String(rig.log.with(phrase)[0]?.fields.hint)).toContain('start JACK');
    for (const turn of ['first', 'again']) {
      await jack.start();
      while ((await ownPorts()).length < 2) await new Promise((wait) => setTimeout(wait, 50));
      await expectHeard([rig]);
      if (turn === 'again') continue;
      await jack.stop();
      await until(() => rig.stream.state === 'idle', 'JACK is gone');
    }
  });
});

describe.skipIf(jackIsMissing)('a server with streams of JACK', () => {
  const [one, other] = [new JackServer(), new JackServer()];
  let rig: ReloadRig | undefined;

  beforeAll(async () => {
    await Promise.all([one.start(), other.start()]);
  });
  afterAll(async () => {
    await rig?.close();
    await Promise.all([one.close(), other.close()]);
  });

  const addressIn = (jack: JackServer, name: string, parameters = '') =>
    `jack:///?name=${name}&server_name=${jack.name}${parameters}`;
  const expectClient = (jack: JackServer, client: string, isThere = true) =>
    expect.poll(async () => (await jack.ports()).includes(`${client}:input_0`)).toBe(isThere);
  const add = (streamUri: string) => rig?.application.request('Stream.AddStream', { streamUri });

  it('turns them to another JACK when their address is another one', async () => {
    rig = await ReloadRig.start(sources(addressIn(one, 'A')));
    await expectClient(one, 'A');
    const report = await rig.reload(sources(addressIn(other, 'A')));
    expect(report.streams).toMatchObject({ replaced: ['A'] });
    await expectClient(other, 'A');
    await expectClient(one, 'A', false);
  });

  it('takes them from controllers, and lets them go', async () => {
    expect(await add(addressIn(other, 'B'))).toEqual({ id: 'B' });
    await expectClient(other, 'B');
    await rig?.application.request('Stream.RemoveStream', { id: 'B' });
    await expectClient(other, 'B', false);
  });

  it('hears one JACK at a time, as libjack mixes two of them up', async () => {
    expect(await add(addressIn(one, 'Second'))).toEqual({ id: 'Second' });
    const refused = () => rig?.log.with('device is not heard').map(({ fields }) => fields) ?? [];
    await until(() => refused().some(({ stream }) => stream === 'Second'), 'it has to wait');
    expect(refused().at(-1)?.reason).toContain(`hears the JACK server "${other.name}"`);
    await rig?.application.request('Stream.RemoveStream', { id: 'A' });
    await expectClient(one, 'Second');
  });

  it.each(['a{2}b{2}', '(ab){256}', 'a{2,32767}', 'x'.repeat(257)])(
    'takes no expression that needs a lot of memory: %s',
    async (pattern) => {
      const hostile = addressIn(one, 'C', `&autoconnect=${encodeURIComponent(pattern)}`);
      await expect(add(hostile)).rejects.toMatchObject({
        data: expect.stringMatching(/autoconnect.*at most/),
      });
    },
  );

  it('tells how often audio was lost', async () => {
    const figures = await readMetrics(rig?.application.ports.http ?? 0);
    expect(figures.get('zerocast_stream_overruns_total{stream="Second"}')).toBeGreaterThanOrEqual(
      0,
    );
  });
});
