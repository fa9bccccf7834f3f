import { setTimeout } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { firstAudibleFrame } from '../support/pcm-compare.ts';
import { ServerProcess } from '../support/server-process.ts';
import { Snapclient, snapclientIsMissing } from '../support/snapclient.ts';

const format = SampleFormat.parse('48000:16:2');
const seconds = 12;

it.skipIf(snapclientIsMissing)(
  'two real clients with one id both play, without a pause and on one connection each',
  async () => {
    const server = await ServerProcess.start({ sources: ['tone:///?name=default&codec=flac'] });
    onTestFinished(() => server.kill());
    const start = async () => {
      const client = await Snapclient.start({ port: server.streamPort, hostId: 'cloned' });
      onTestFinished(() => client.kill());
      return client;
    };
    const clients = [await start(), await start()];
    for (const client of clients) await client.heardSound();
    await setTimeout(seconds * 1000);
    for (const client of clients) {
      const { pcm, log } = await client.stop(format);
      expect(log.match(/Connected to/g)).toHaveLength(1);
      expect(audibleShare(pcm)).toBeGreaterThan(0.99);
    }
    const warnings = server.log.text.match(/several players have one id.*/g);
    expect(warnings).toHaveLength(1);
    expect(warnings?.[0]).toMatch(/client=cloned addresses="127\.0\.0\.1, 127\.0\.0\.1"/);
    await server.stop();
  },
);

/** How much of what was played since the first sound is sound: a tone is silent only in single samples. */
function audibleShare(pcm: Buffer): number {
  const { frameBytes } = format;
  const from = (firstAudibleFrame(pcm, format) ?? 0) * frameBytes;
  const windowBytes = format.framesIn(5) * frameBytes;
  let [windows, audible] = [0, 0];
  for (let at = from; at + windowBytes <= pcm.length; at += windowBytes) {
    windows += 1;
    if (pcm.subarray(at, at + windowBytes).some((byte) => byte !== 0)) audible += 1;
  }
  return windows === 0 ? 0 : audible / windows;
}
