import { describe, expect, it } from 'vitest';
import { benchFor, type Emitted, encodeAll, music, pcmOf } from '../../../support/encoding.ts';

const formatText = '48000:16:2';

async function encodedBy(spec: string): Promise<readonly Emitted[]> {
  const bench = await benchFor(spec, formatText);
  const emitted = await encodeAll(bench, pcmOf(bench.format, 9600, music), [960]);
  bench.encoder.close();
  return emitted;
}

describe('an opus encoder that another stream has left', () => {
  it('encodes as if it were new, whatever it was used for before', async () => {
    const fresh = await encodedBy('opus:BITRATE:96000,COMPLEXITY:5');
    await encodedBy('opus:BITRATE:16000,COMPLEXITY:1');
    expect(await encodedBy('opus:BITRATE:96000,COMPLEXITY:5')).toEqual(fresh);
  });

  it('is not a second one while the first is in use', async () => {
    const [one, two] = await Promise.all([
      benchFor('opus', formatText),
      benchFor('opus', formatText),
    ]);
    const pcm = pcmOf(one.format, 9600, music);
    const alone = await encodeAll(one, pcm, [960]);
    expect(await encodeAll(two, pcm, [960])).toEqual(alone);
    one.encoder.close();
    two.encoder.close();
  });

  it('spares the memory that the library never gives back', async () => {
    await encodedBy('opus');
    const before = process.memoryUsage().rss;
    for (let turn = 0; turn < 3000; turn += 1) {
      const { encoder } = await benchFor('opus', formatText);
      encoder.close();
    }
    // 3000 encoders of 46 KiB are 135 MiB; what else the process takes meanwhile ends at 30 MiB.
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20);
  });
});
