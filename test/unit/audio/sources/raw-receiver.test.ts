import { expect, it } from 'vitest';
import { JitterBuffer } from '../../../../src/audio/sources/rtp/jitter-buffer.ts';
import { RawReceiver } from '../../../../src/audio/sources/rtp/raw-receiver.ts';

const frameBytes = 4;
const sender = { address: '192.0.2.1', port: 5004 };

it('counts the datagrams for which there was no room, and takes the next ones', () => {
  const buffer = new JitterBuffer(
    { frameBytes, sampleBytes: 2, capacityFrames: 100, holdFrames: 0, fadeFrames: 10 },
    () => undefined,
  );
  const options = { frameBytes, sampleBytes: 2, onRefused: expect.fail, onSender: () => undefined };
  const receiver = new RawReceiver(buffer, options);
  const send = (value: number) => receiver.accept(Buffer.alloc(40 * frameBytes, value), 1, sender);
  for (const value of [1, 2, 3]) send(value);
  expect(receiver.reception).toMatchObject({ packets: 3, ignoredPackets: 1 });
  const target = Buffer.alloc(40 * frameBytes);
  expect(buffer.fill(target)).toBe(true);
  expect(target.every((byte) => byte === 1)).toBe(true);
  send(4);
  expect(receiver.reception).toMatchObject({ packets: 4, ignoredPackets: 1 });
  for (const value of [2, 4]) {
    expect(buffer.fill(target)).toBe(true);
    expect(target.every((byte) => byte === value)).toBe(true);
  }
});
