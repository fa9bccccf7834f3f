import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { AlsaDevices, alsaIsMissing } from '../support/alsa-devices.ts';
import { longestExactRun } from '../support/pcm-compare.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { Snapserver, snapserverIsMissing } from '../support/snapserver.ts';
import { TestServer } from '../support/test-server.ts';
import { uniqueSignal } from '../support/test-signal.ts';

const format = SampleFormat.parse('48000:16:2');
/** Of a wire chunk: seconds, microseconds, and the size of what follows. */
const chunkHeadBytes = 12;

let folder: string;
let theirs: Snapserver | undefined;
let ours: TestServer | undefined;

beforeEach(() => {
  folder = makeScratchFolder();
});

afterEach(async () => {
  await theirs?.kill();
  await ours?.stop();
  vi.unstubAllEnvs();
  removeScratchFolder(folder);
});

describe.skipIf(alsaIsMissing || snapserverIsMissing)('a device of ALSA', () => {
  it('is heard by the original server as by ours, with the same address', async () => {
    const fed = uniqueSignal({ format, seconds: 20 });
    const devices = new AlsaDevices(folder);
    devices.hears('mic', fed);
    vi.stubEnv('ALSA_CONFIG_PATH', devices.configuration);
    const address = 'alsa:///?name=Line&device=mic&codec=pcm&sampleformat=48000:16:2';
    theirs = await Snapserver.start([address]);
    ours = await TestServer.start(`stream.source=${address}`);
    for (const port of [theirs.streamPort, ours.port]) {
      const recorded = await heardAt(port);
      expect(longestExactRun({ fed, recorded, format }).frames).toBeGreaterThan(format.rateHz / 2);
    }
  });
});

/** A second of what a player gets. */
async function heardAt(port: number): Promise<Buffer> {
  const client = await ScriptedClient.greet(port, 'oracle');
  const audio = () => Buffer.concat(client.chunks.map(({ body }) => body.subarray(chunkHeadBytes)));
  await client.until(
    () => audio().length >= format.rateHz * format.frameBytes,
    'a second is heard',
  );
  client.close();
  return audio();
}
