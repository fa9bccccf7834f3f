import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SampleFormat } from '../../../../src/audio/sample-format.ts';
import { PacketIntake } from '../../../../src/audio/sources/rtp/packet-intake.ts';
import { readSapPacket, writeSapPacket } from '../../../../src/audio/sources/rtp/sap-packet.ts';
import {
  maxDescriptionBytes,
  readSessionDescription,
  writeSessionDescription,
} from '../../../../src/audio/sources/rtp/session-description.ts';
import { SourceError } from '../../../../src/base/errors.ts';
import { hostileText, mutationsOf } from '../../../support/hostile-values.ts';
import { numberedBytes } from '../../../support/pcm-fixtures.ts';
import { Random } from '../../../support/random.ts';
import { RtpSender, rtpPacket } from '../../../support/rtp-packets.ts';

/** As AES67 devices announce themselves. */
const realSession = `v=0
o=- 1311738121 1311738121 IN IP4 192.0.2.1
s=Stage left
c=IN IP4 239.0.0.1/32
t=0 0
a=clock-domain:PTPv2 0
m=audio 5004 RTP/AVP 96
i=Channels 1-2
a=rtpmap:96 L24/48000/2
a=source-filter: incl IN IP4 239.0.0.1 192.0.2.1
a=sync-time:0
a=framecount:48
a=ptime:1
a=mediaclk:direct=963214424
a=ts-refclk:ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:0
a=recvonly
`;

const packets = [
  rtpPacket({ sequence: 1, timestamp: 1, payload: Buffer.alloc(192) }),
  rtpPacket({ sequence: 2, timestamp: 49, payload: Buffer.alloc(192), csrcs: 3, paddingBytes: 9 }),
  rtpPacket({ sequence: 3, timestamp: 97, payload: Buffer.alloc(192), extensionWords: 2 }),
];
const sap = writeSapPacket({
  isDeletion: false,
  hash: 7,
  ownAddress: '192.0.2.1',
  description: realSession,
});

/** What a stream reads of an intake, and all that it is told. */
function reader(jitterMs = 10) {
  const told = { filled: 0, interrupted: 0 };
  const intake = new PacketIntake(
    {
      ...{ mode: 'rtp', format: SampleFormat.parse('48000:16:2'), packed24: false, jitterMs },
      ...{ encoding: 'L16', payloadType: undefined, ssrc: undefined },
    },
    { onRefused: () => undefined, onSender: () => undefined },
  );
  intake.open({
    filled: () => {
      told.filled += 1;
      intake.read(Buffer.alloc(3840));
    },
    interrupted: () => {
      told.interrupted += 1;
    },
    properties: () => undefined,
    failed: (error) => {
      throw error;
    },
  });
  intake.read(Buffer.alloc(3840));
  return { intake, told };
}

const sender = { address: '192.0.2.1', port: 5004 };

describe('packets from the network', () => {
  it('with any damage are played or counted, and keep no good sender from being heard', () => {
    fc.assert(
      fc.property(fc.array(mutationsOf(packets), { maxLength: 50 }), (hostile) => {
        const { intake, told } = reader();
        let nowUs = 1e9;
        for (const packet of hostile) {
          nowUs += 1000;
          intake.accept(packet, nowUs, sender);
        }
        const { reception } = intake;
        expect(reception.packets + reception.ignoredPackets).toBe(hostile.length);
        nowUs += 3_000_000;
        const good = new RtpSender({ ssrc: 99 }).packets(numberedBytes(48_000), 48);
        const before = told.filled;
        for (const packet of good) {
          nowUs += 1000;
          intake.accept(packet, nowUs, sender);
        }
        expect(told.filled).toBeGreaterThanOrEqual(before + 10);
      }),
      { numRuns: 500 },
    );
  });

  it('that jump at random cost no more than a moment each, and no memory', () => {
    const random = new Random(5);
    const { intake } = reader();
    const payload = Buffer.alloc(192);
    const startMs = performance.now();
    for (let count = 0; count < 20_000; count += 1) {
      const [sequence, timestamp] = [random.below(2 ** 16), random.below(2 ** 32)];
      // Two in a row: the second one proves the first.
      for (const step of [0, 1]) {
        const place = { sequence: sequence + step, timestamp: timestamp + 48 * step };
        intake.accept(rtpPacket({ ...place, payload }), 1e9 + count, sender);
      }
    }
    expect((performance.now() - startMs) / 40_000).toBeLessThan(1);
    expect(intake.backlogBytes).toBeLessThanOrEqual(2.01 * 192_000);
  });
});

describe('an announcement', () => {
  it('of real life is read', async () => {
    const packet = readSapPacket(sap);
    expect(packet).toMatchObject({ isDeletion: false, hash: 7, origin: 'c0000201' });
    expect(await readSessionDescription(packet?.description ?? '')).toEqual({
      name: 'Stage left',
      id: '- 1311738121 192.0.2.1',
      address: '239.0.0.1',
      port: 5004,
      source: '192.0.2.1',
      payloadType: 96,
      encoding: 'L24',
      rateHz: 48_000,
      channels: 2,
    });
  });

  it('with any damage is read or is none', () => {
    fc.assert(
      fc.property(mutationsOf([sap]), (bytes) => {
        const packet = readSapPacket(Buffer.from(bytes));
        if (packet) expect(packet.description.length).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 2000 },
    );
  });

  it('that is encrypted, compressed, too short or of another type is none', () => {
    const changed = (at: number, value: number) => {
      const bytes = Buffer.from(sap);
      bytes[at] = value;
      return bytes;
    };
    for (const bytes of [changed(0, 0x22), changed(0, 0x21), changed(0, 0x40), changed(1, 255)]) {
      expect(readSapPacket(bytes)).toBeUndefined();
    }
    expect(readSapPacket(sap.subarray(0, 7))).toBeUndefined();
    const other = Buffer.concat([sap.subarray(0, 8), Buffer.from('text/plain\0v=0')]);
    expect(readSapPacket(other)).toBeUndefined();
    const old = Buffer.concat([sap.subarray(0, 8), Buffer.from('v=0\ns=x')]);
    expect(readSapPacket(old)?.description).toBe('v=0\ns=x');
    const six = writeSapPacket({
      isDeletion: true,
      hash: 1,
      ownAddress: 'fe80::1:2',
      description: '',
    });
    expect(readSapPacket(six)).toMatchObject({
      isDeletion: true,
      origin: `fe80${'0000'.repeat(5)}00010002`,
    });
  });
});

describe('the description of a session', () => {
  it('with any damage is read or refused with a reason', async () => {
    const texts = fc.oneof(
      hostileText,
      mutationsOf([Buffer.from(realSession)]).map((one) => `${one}`),
    );
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        try {
          const { port, rateHz, channels } = await readSessionDescription(text);
          expect([port, rateHz, channels].every((value) => value > 0)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(SourceError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it.each(['m=audio ', 'a=rtpmap:', 'a=source-filter: incl IN IP4 ', 'a=fmtp:1 ', 'a=candidate:'])(
    'of the greatest length with the same line again and again takes no long time: %s',
    async (start) => {
      const line = `${start}${'1 '.repeat(200)}\n`;
      const count = Math.floor(maxDescriptionBytes / line.length);
      const startMs = performance.now();
      await expect(readSessionDescription(`v=0\n${line.repeat(count)}`)).rejects.toThrow(
        SourceError,
      );
      expect(performance.now() - startMs).toBeLessThan(1000);
    },
  );

  it.each([
    ['v=1\n', 'v=0'],
    ['v=0\ns=x\nc=IN IP4 239.1.1.1\nm=video 5004 RTP/AVP 96\n', 'no m=audio'],
    ['v=0\ns=x\nc=IN IP4 239.1.1.1\nm=audio 5004 RTP/AVP 96\na=rtpmap:96 opus/48000/2\n', 'L16'],
    ['v=0\ns=x\nc=IN IP4 house\nm=audio 5004 RTP/AVP 10\n', 'no address'],
  ])('says what it lacks: %j', async (text, reason) => {
    await expect(readSessionDescription(text)).rejects.toThrow(reason);
  });

  it('without a map is that of the static payload types', async () => {
    const text = 'v=0\ns=x\nc=IN IP4 239.1.1.1\nm=audio 5004 RTP/AVP 11\n';
    expect(await readSessionDescription(text)).toMatchObject({
      ...{ encoding: 'L16', rateHz: 44_100, channels: 1, payloadType: 11 },
    });
  });

  it('that is written is read as it was', async () => {
    const session = {
      ...{ name: 'Küche', address: '192.0.2.7', port: 5006, payloadType: 97, rateHz: 96_000 },
      ...{ encoding: 'L24' as const, channels: 8 },
    };
    const text = writeSessionDescription(session, { sessionId: 5, ownAddress: '192.0.2.7' });
    expect(await readSessionDescription(text)).toMatchObject(session);
  });
});
