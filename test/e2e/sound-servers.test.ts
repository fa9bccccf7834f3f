import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { JackServer, jackIsMissing } from '../support/jack-server.ts';
import { longestNearRun } from '../support/near-run.ts';
import { longestExactRun } from '../support/pcm-compare.ts';
import { PipeWireSession, pipeWireIsMissing } from '../support/pipewire-session.ts';
import { ServerProcess } from '../support/server-process.ts';
import { keepingTime } from '../support/side-program.ts';
import { Snapclient, snapclientIsMissing } from '../support/snapclient.ts';
import { risingTone, uniqueSignal } from '../support/test-signal.ts';

const format = SampleFormat.parse('48000:16:2');
const seconds = 4;
/** On a busy machine sound servers lose periods, and clients skip. */
const faultlessFrames = format.rateHz;

/** What a client of a server with one stream hears while `play` plays. */
async function hear(address: string, play: () => Promise<void>): Promise<Buffer> {
  const server = await ServerProcess.start({
    sources: [address],
    node: [...keepingTime, process.execPath],
  });
  let client: Snapclient | undefined;
  try {
    await server.log.waitFor(/stream started/);
    client = await Snapclient.start({ port: server.streamPort, hostId: 'client' });
    await play();
    await client.playedOut(format);
    const { pcm } = await client.stop(format);
    await server.stop();
    return pcm;
  } catch (error) {
    throw new Error(`the server printed:\n${server.log.text}`, { cause: error });
  } finally {
    await Promise.all([server.kill(), client?.kill()]);
  }
}

describe.skipIf(snapclientIsMissing || pipeWireIsMissing)(
  'what PipeWire plays',
  { retry: 2 },
  () => {
    let session: PipeWireSession;
    beforeEach(async () => {
      session = await new PipeWireSession().start();
    });
    afterEach(() => session.close());

    it.each([
      ['to a sink of its own', '', 'Desktop'],
      ['to another sink', '&capture_sink=true&target=zc_sink', 'zc_sink'],
    ])('%s, is heard by a real client bit by bit', async (_, parameters, target) => {
      await session.createSink('zc_sink');
      const fed = uniqueSignal({ format, seconds });
      const address = `pipewire://?name=Desktop&runtime_dir=${session.folder}${parameters}`;
      const recorded = await hear(address, async () => {
        await session.hasNode(target);
        await session.play(fed, { format, target }).ended;
      });
      const { frames } = longestExactRun({ fed, recorded, format });
      expect(frames).toBeGreaterThanOrEqual(faultlessFrames);
    });
  },
);

describe.skipIf(snapclientIsMissing || jackIsMissing)('what JACK plays', { retry: 2 }, () => {
  let jack: JackServer;
  beforeEach(async () => {
    jack = await new JackServer().start();
  });
  afterEach(() => jack.close());

  it('is heard by a real client', async () => {
    const fed = risingTone({ format, seconds });
    const address = `jack:///?name=Jack&server_name=${jack.name}&autoconnect=jack-play`;
    const recorded = await hear(address, async () => {
      const { program } = await jack.play(fed, format);
      await program.ended;
    });
    const frames = longestNearRun({ fed, recorded, format, steps: 2 });
    expect(frames).toBeGreaterThanOrEqual(faultlessFrames);
  });
});
