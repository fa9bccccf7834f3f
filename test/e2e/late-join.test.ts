import { describe, expect, it } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { firstAudibleFrame, longestExactRun } from '../support/pcm-compare.ts';
import { playEveryWay } from '../support/scene.ts';
import { snapclientIsMissing } from '../support/snapclient.ts';
import { uniqueSignal } from '../support/test-signal.ts';

const format = SampleFormat.parse('48000:16:2');
const seconds = 6;
const lateClientAfterMs = 2500;

// A machine that is busy with something else may wake the client too late, hence the retries, of which
// the total of all tests allows one.
describe.skipIf(snapclientIsMissing)('a real client that joins late', { retry: 2 }, () => {
  it.each([
    ['pcm', 'alone', 'each chunk at once', ['--stream.send_interval=0']],
    ['pcm', 'after another', 'each chunk at once', ['--stream.send_interval=0']],
    ['pcm', 'alone', 'the default interval', []],
    ['pcm', 'after another', 'the default interval', []],
    ['pcm', 'after another', 'five chunks at once', ['--stream.send_interval=100']],
    ['pcm', 'after another', 'ten chunks at once', ['--stream.send_interval=200']],
    ['flac', 'alone', 'the default interval', []],
    ['flac', 'after another', 'ten chunks at once', ['--stream.send_interval=240']],
  ] as const)('is heard soon and bit-exactly: %s, %s, %s', async (codec, company, _, options) => {
    const fed = uniqueSignal({ format, seconds });
    const scene = {
      format,
      codec,
      fed,
      via: 'tcp',
      earlyClients: company === 'alone' ? 0 : 1,
      lateClientAfterMs,
      options,
    } as const;
    await playEveryWay(scene, (recordings) => {
      const { pcm, connectToAudibleMs } = recordings.at(-1)!;
      const run = longestExactRun({ fed, recorded: pcm, format });
      // It did join late, and what it missed is what had been played before.
      expect(run.fedFrame).toBeGreaterThan(format.framesIn(lateClientAfterMs) / 2);
      // From its first audible sample on, nothing but what was fed.
      expect(run.recordedFrame).toBe(firstAudibleFrame(pcm, format));
      expect(run.frames / (seconds * format.rateHz - run.fedFrame)).toBeGreaterThanOrEqual(0.95);
      expect(connectToAudibleMs).toBeLessThan(300);
    });
  });
});
