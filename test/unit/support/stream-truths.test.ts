import { describe, expect, it } from 'vitest';
import { riffHeader } from '../../../src/audio/encoders/pcm-encoder.ts';
import { createSource } from '../../../src/audio/sources/sources.ts';
import { parseStreamOptions } from '../../../src/audio/stream-options.ts';
import { chunkMs, steadyStreams } from '../../chaos/streams.ts';
import { StreamTruths } from '../../chaos/truths.ts';
import { LogLines } from '../../support/log-lines.ts';
import { streamDefaults } from '../../support/reader-rig.ts';

const tone = steadyStreams.find(({ kind }) => kind === 'tone')!;

/** What the server makes of the tone, chunk by chunk. */
function toneChunks(count: number) {
  const address = `tone:///?name=Tone&sampleformat=${tone.rateHz}:16:2`;
  const options = parseStreamOptions(address, { ...streamDefaults, chunkMs });
  const source = createSource({ ...options, logger: new LogLines() });
  const { format } = source;
  const frames = format.framesIn(chunkMs);
  const truths = new StreamTruths();
  const truth = truths.of('pcm', Buffer.from(riffHeader(format)));
  const chunks = Array.from({ length: count }, (_, index) => {
    const payload = Buffer.alloc(frames * format.frameBytes);
    source.read(payload);
    return { timestampUs: Math.round(format.durationUs(index * frames)), payload };
  });
  return { truth, chunks };
}

describe('the truth about a tone', () => {
  it('takes audio that a player has lost for a loss, not for a jump of the time', () => {
    const { truth, chunks } = toneChunks(12);
    const [before, after] = [chunks[1]!, chunks[11]!].map(({ timestampUs, payload }) =>
      truth.enter(timestampUs, payload),
    );
    expect(truth.faultBetween(before!, after!)).toMatch(/^wrong audio/);
    expect([...truth.jumps]).toEqual([]);
  });

  it('knows a jump of the time by audio that goes on behind it', () => {
    const { truth, chunks } = toneChunks(2);
    const [before, after] = chunks.map(({ timestampUs, payload }, index) =>
      truth.enter(timestampUs + index * 1_600_000, payload),
    );
    expect(truth.faultBetween(before!, after!)).toBeUndefined();
    expect(truth.jumps.size).toBe(1);
  });
});
