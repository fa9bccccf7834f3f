import { beforeEach, describe, expect, it } from 'vitest';
import { SampleFormat } from '../../../../src/audio/sample-format.ts';
import { JitterBuffer } from '../../../../src/audio/sources/rtp/jitter-buffer.ts';
import { PacketWindow } from '../../../../src/audio/sources/rtp/packet-window.ts';
import {
  RtpReceiver,
  type RtpReceiverOptions,
} from '../../../../src/audio/sources/rtp/rtp-receiver.ts';
import { numberedBytes } from '../../../support/pcm-fixtures.ts';
import { Random } from '../../../support/random.ts';
import { bigEndian, RtpSender, rtpPacket } from '../../../support/rtp-packets.ts';

const format = SampleFormat.parse('48000:16:2');
const frameBytes = 4;
/** 10 ms. */
const holdFrames = 480;
const packetFrames = 48;
const sender = { address: '192.0.2.1', port: 5004 };

let refused: string[];
let senders: string[];
let nowUs: number;
let buffer: JitterBuffer;
let receiver: RtpReceiver;

function receive(options: Partial<RtpReceiverOptions> = {}): void {
  const bytes = options.format?.bits === 24 ? 3 : 2;
  const channels = options.format?.channels ?? 2;
  const window = new PacketWindow();
  buffer = new JitterBuffer(
    {
      frameBytes: bytes * channels,
      sampleBytes: bytes,
      capacityFrames: 96_000,
      holdFrames,
      fadeFrames: 480,
    },
    (position) => window.settle(position),
  );
  receiver = new RtpReceiver(buffer, window, {
    format,
    encoding: 'L16',
    onRefused: (reason) => refused.push(reason),
    onSender: (from) => senders.push(from),
    ...options,
  });
}

beforeEach(() => {
  refused = [];
  senders = [];
  nowUs = 1e9;
  receive();
});

function send(...packets: readonly Buffer[]): void {
  for (const packet of packets) {
    nowUs += 1000;
    receiver.accept(packet, nowUs, sender);
  }
}

/** What can be read by now, a millisecond at a time; a bar stands for the beginning of another run. */
function readAll(bytes = 48 * frameBytes): Buffer {
  const pieces: Buffer[] = [];
  for (;;) {
    if (buffer.isAtNextRun) buffer.enterNextRun();
    const target = Buffer.alloc(bytes, 0xee);
    if (!buffer.fill(target)) return Buffer.concat(pieces);
    pieces.push(target);
  }
}

const sound = (frames: number, first = 0) => numberedBytes(frames * frameBytes, first);

describe('RTP', () => {
  it('is played in the order of its timestamps, whatever the sizes of packets', () => {
    const rtp = new RtpSender();
    const audio = sound(4800);
    for (let at = 0, frames = 1; at < 4800; at += frames, frames = ((frames * 7) % 97) + 1) {
      send(rtp.packet(audio.subarray(at * frameBytes, (at + frames) * frameBytes)));
    }
    expect(readAll().equals(audio)).toBe(true);
    expect(receiver.reception).toMatchObject({ lostPackets: 0, latePackets: 0, ignoredPackets: 0 });
  });

  it('waits for what is held back, and then gives all that is there', () => {
    const [first, ...rest] = new RtpSender().packets(sound(960), packetFrames);
    send(first!, ...rest.slice(0, 9));
    expect(readAll()).toHaveLength(0);
    send(rest[9]!);
    expect(readAll()).toHaveLength(11 * packetFrames * frameBytes);
  });

  it('is put in order while that is held back', () => {
    const audio = sound(48_000);
    const random = new Random(7);
    const packets = new RtpSender().packets(audio, packetFrames);
    // Each is at most nine packets from its place.
    const order = packets
      .map((packet, index) => ({ packet, at: index + random.below(9) }))
      .sort((one, other) => one.at - other.at);
    const played = order.map(({ packet }) => {
      send(packet);
      return readAll();
    });
    played.push(readAll());
    expect(Buffer.concat(played).equals(audio)).toBe(true);
    expect(receiver.reception).toMatchObject({ lostPackets: 0, latePackets: 0 });
  });

  it('is played once when it comes twice', () => {
    const audio = sound(4800);
    const packets = new RtpSender().packets(audio, packetFrames);
    send(...packets.flatMap((packet) => [packet, packet]));
    expect(readAll().equals(audio)).toBe(true);
    expect(receiver.reception).toMatchObject({ packets: 200, duplicatePackets: 100 });
  });

  it('has something in place of lost packets that lasts exactly as long', () => {
    const audio = sound(48_000);
    const random = new Random(3);
    const packets = new RtpSender().packets(audio, packetFrames);
    const isLost = packets.map((_, index) => index > 0 && index < 980 && random.chance(0.1));
    const played: Buffer[] = [];
    for (const [index, packet] of packets.entries()) {
      if (isLost[index]) continue;
      send(packet);
      played.push(readAll());
    }
    const heard = Buffer.concat(played);
    expect(heard.length).toBe(audio.length);
    const packetBytes = packetFrames * frameBytes;
    const differing = packets.map((_, index) => {
      const range = [index * packetBytes, (index + 1) * packetBytes] as const;
      return !heard.subarray(...range).equals(audio.subarray(...range));
    });
    expect(differing).toEqual(isLost);
    const lostPackets = isLost.filter(Boolean).length;
    expect(lostPackets).toBeGreaterThan(50);
    expect(receiver.reception).toMatchObject({ lostPackets, concealedMs: lostPackets });
  });

  it('makes no step at the sides of a gap, and is silent in the middle of a long one', () => {
    const level = 16_000;
    const audio = Buffer.alloc(9600 * frameBytes);
    for (let at = 0; at < audio.length; at += 2) audio.writeInt16LE(level, at);
    const packets = new RtpSender().packets(audio, packetFrames);
    // 50 ms of 200.
    send(...packets.slice(0, 50), ...packets.slice(100));
    const heard = readAll();
    const left = Array.from({ length: 9600 }, (_, frame) => heard.readInt16LE(frame * frameBytes));
    const steps = left.slice(1).map((sample, index) => Math.abs(sample - left[index]!));
    expect(Math.max(...steps)).toBeLessThan(level / 200);
    expect(left.slice(50 * 48 + 480, 100 * 48 - 480).every((sample) => sample === 0)).toBe(true);
    expect(left[50 * 48]).toBeGreaterThan(0.99 * level);
    expect(left[100 * 48 - 1]).toBeGreaterThan(0.99 * level);
  });

  it('counts what comes when its time is over', () => {
    const packets = new RtpSender().packets(sound(4800), packetFrames);
    const [late] = packets.splice(20, 1);
    send(...packets);
    const heard = readAll();
    send(late!);
    expect(heard.length + readAll().length).toBe(4800 * frameBytes);
    expect(receiver.reception).toMatchObject({ lostPackets: 1, latePackets: 1, concealedMs: 1 });
  });

  it('is silent for as long as its sender was, and nothing is lost then', () => {
    const rtp = new RtpSender();
    send(...rtp.packets(sound(4800), packetFrames));
    rtp.pause(480);
    send(...rtp.packets(sound(4800, 4800), packetFrames));
    const expected = [sound(4800), Buffer.alloc(480 * frameBytes), sound(4800, 4800)];
    expect(readAll().equals(Buffer.concat(expected))).toBe(true);
    expect(receiver.reception).toMatchObject({ lostPackets: 0, concealedMs: 0 });
  });

  it('begins another run where timestamps or numbers jump, which one packet does not prove', () => {
    const rtp = new RtpSender();
    send(...rtp.packets(sound(4800), packetFrames));
    const stray = new RtpSender({ firstTimestamp: 1_000_000, firstSequence: 7 });
    send(...stray.packets(sound(48), packetFrames));
    send(...rtp.packets(sound(4800, 4800), packetFrames));
    expect(readAll().equals(sound(9600))).toBe(true);
    const jumped = new RtpSender({ firstTimestamp: 2_000_000, firstSequence: 700 });
    send(...jumped.packets(sound(4800, 20_000), packetFrames));
    const whole = readAll();
    // The first packet of the new run is the price.
    expect(whole.equals(sound(4752, 20_048))).toBe(true);
  });

  it('plays one sender at a time, and the next one when the first was silent for two seconds', () => {
    send(...new RtpSender().packets(sound(4800), packetFrames));
    const other = new RtpSender({ ssrc: 2 });
    send(...other.packets(sound(4800, 9600), packetFrames));
    expect(readAll().equals(sound(4800))).toBe(true);
    expect(refused[0]).toContain('only one is played');
    expect(receiver.reception.ignoredPackets).toBe(100);
    nowUs += 2_000_000;
    send(...other.packets(sound(4800, 20_000), packetFrames));
    expect(readAll().equals(sound(4800, 20_000))).toBe(true);
    expect(senders).toHaveLength(2);
  });

  it('plays the sender that is asked for and no other', () => {
    receive({ ssrc: 2 });
    send(...new RtpSender().packets(sound(4800), packetFrames));
    nowUs += 5_000_000;
    send(...new RtpSender({ ssrc: 2 }).packets(sound(4800, 9600), packetFrames));
    nowUs += 5_000_000;
    send(...new RtpSender().packets(sound(4800), packetFrames));
    expect(readAll().equals(sound(4800, 9600))).toBe(true);
  });

  it('ends a run with what was there of it when another one comes at once', () => {
    const rtp = new RtpSender();
    send(...rtp.packets(sound(1000), packetFrames));
    const first = readAll();
    nowUs += 2_000_000;
    send(...new RtpSender({ ssrc: 2 }).packets(sound(960, 9600), packetFrames));
    const rest = Buffer.alloc(48 * frameBytes);
    expect(first.length).toBe(20 * 48 * frameBytes);
    expect(buffer.fill(rest)).toBe(true);
    const expected = Buffer.concat([sound(40, 960), Buffer.alloc(8 * frameBytes)]);
    expect(rest.equals(expected)).toBe(true);
    expect(buffer.isAtNextRun).toBe(true);
  });

  it('skips what stands before and behind the audio', () => {
    const payload = bigEndian(sound(960), 2);
    const packets = [0, 1].map((index) =>
      rtpPacket({
        sequence: index,
        timestamp: 480 * index,
        payload: payload.subarray(480 * index * frameBytes, 480 * (index + 1) * frameBytes),
        csrcs: 3,
        extensionWords: 2,
        paddingBytes: 5,
      }),
    );
    send(...packets);
    expect(readAll().equals(sound(960))).toBe(true);
  });

  it.each([
    ['L16', '48000:24:2'],
    ['L24', '48000:16:2'],
    ['L24', '96000:24:8'],
  ] as const)('brings %s into the shape of %s', (encoding, text) => {
    const shape = SampleFormat.parse(text);
    receive({ format: shape, encoding });
    const sentBytes = encoding === 'L16' ? 2 : 3;
    const keptBytes = shape.bits / 8;
    const samples = 960 * shape.channels;
    const pcm = new Random(1).bytes(samples * sentBytes);
    const habits = { frameBytes: sentBytes * shape.channels, sampleBytes: sentBytes } as const;
    send(...new RtpSender(habits).packets(pcm, 48));
    const expected = Buffer.alloc(samples * keptBytes);
    for (let sample = 0; sample < samples; sample += 1) {
      const value = pcm.readIntLE(sample * sentBytes, sentBytes);
      const scaled = keptBytes > sentBytes ? value * 256 : value >> (8 * (sentBytes - keptBytes));
      expected.writeIntLE(scaled, sample * keptBytes, keptBytes);
    }
    expect(readAll(48 * shape.channels * keptBytes).equals(expected)).toBe(true);
  });

  it('says what the sender has to do differently', () => {
    const packet = (payloadType: number, bytes: number) =>
      rtpPacket({ sequence: 1, timestamp: 1, payloadType, payload: Buffer.alloc(bytes) });
    send(packet(10, 400), packet(14, 400), packet(97, 401), packet(72, 40));
    expect(refused[0]).toContain('write sampleformat=44100:16:2');
    expect(refused[1]).toContain('payload type 14 is neither L16 nor L24');
    expect(refused[2]).toContain('are not L16 of 2 channels');
    expect(refused).toHaveLength(3);
    expect(receiver.reception).toMatchObject({ packets: 0, ignoredPackets: 4 });
    receive({ payloadType: 96 });
    send(packet(97, 400));
    expect(refused[3]).toContain('the payload type is 97 and not 96');
  });

  it('tells how much the time between packets varies', () => {
    const packets = new RtpSender().packets(sound(48_000), packetFrames);
    for (const [index, packet] of packets.entries()) {
      nowUs = 1e9 + 1000 * index + (index % 2) * 400;
      receiver.accept(packet, nowUs, sender);
      readAll();
    }
    expect(receiver.reception.jitterMs).toBeCloseTo(0.4, 2);
  });

  it('keeps no more than two seconds, and goes on when that is read', () => {
    const rtp = new RtpSender();
    const packets = rtp.packets(sound(97_920), packetFrames);
    send(...packets);
    expect(buffer.waitingFrames).toBe(96_000);
    const first = readAll();
    expect(first.equals(sound(96_000))).toBe(true);
    send(...rtp.packets(sound(4800, 97_920), packetFrames));
    const rest = readAll();
    expect(rest.length).toBe((97_920 + 4800 - 96_000) * frameBytes);
    expect(rest.subarray(-4800 * frameBytes).equals(sound(4800, 97_920))).toBe(true);
  });
});
