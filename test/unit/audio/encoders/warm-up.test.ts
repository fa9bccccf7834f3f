import { expect, it, onTestFinished, vi } from 'vitest';
import { warmUpEncoders } from '../../../../src/audio/encoders/warm-up.ts';
import { SampleFormat } from '../../../../src/audio/sample-format.ts';

it('starts no thread, which only a stream has use for', async () => {
  vi.stubEnv('ZEROCAST_NATIVE', 'off');
  const onThread = vi.fn();
  process.on('worker', onThread);
  onTestFinished(() => {
    process.off('worker', onThread);
    vi.unstubAllEnvs();
  });
  await warmUpEncoders([{ codec: 'flac:8', format: SampleFormat.parse('192000:24:2') }]);
  expect(onThread).not.toHaveBeenCalled();
});
