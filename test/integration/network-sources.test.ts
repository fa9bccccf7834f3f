import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { readSapPacket, type SapPacket, sapPort } from '../../src/audio/sources/rtp/sap-packet.ts';
import {
  readSessionDescription,
  writeSessionDescription,
} from '../../src/audio/sources/rtp/session-description.ts';
import { feedRtp } from '../support/feeder.ts';
import { scratchFolder } from '../support/fifo.ts';
import { LoopbackAnnouncer } from '../support/loopback-announcer.ts';
import { ip, NetworkNamespace, namespacesAreOff } from '../support/network-namespace.ts';
import { exactRuns } from '../support/pcm-compare.ts';
import { wavFile } from '../support/pcm-fixtures.ts';
import { RtpSender } from '../support/rtp-packets.ts';
import { freePort } from '../support/server-process.ts';
import { StreamRig } from '../support/stream-rig.ts';
import { uniqueSignal } from '../support/test-signal.ts';
import { UdpRelay } from '../support/udp-relay.ts';
import { until } from '../support/waiting.ts';

const isMissing = !process.env.CI && spawnSync('ffmpeg', ['-version']).error !== undefined;
const seconds = 4;
const format16 = SampleFormat.parse('48000:16:2');
const format24 = SampleFormat.parse('48000:24:2');

let folder: ReturnType<typeof scratchFolder>;
beforeEach(() => {
  folder = scratchFolder();
});
afterEach(() => folder.remove());

/** Plays a stream with one listener until the test is over. */
async function playing(address: string): Promise<StreamRig> {
  const rig = await new StreamRig(address).play();
  onTestFinished(() => rig.close());
  return rig;
}

/** Where a source listens. */
async function portOf(rig: StreamRig): Promise<number> {
  const line = () => rig.log.with('waiting for a sender')[0];
  await until(() => line() !== undefined, 'it listens');
  expect(line()?.fields.stream).toBe('N');
  return Number(String(line()?.fields.address).split(':').at(-1));
}

/** The real sender, in real time. */
function ffmpeg(input: Buffer, format: SampleFormat, output: readonly string[]): ChildProcess {
  const file = join(folder.path, 'audio.wav');
  const packed = format.bits === 24 ? packed24(input) : input;
  writeFileSync(file, wavFile(packed, { bits: format.bits }));
  const args = ['-nostdin', '-hide_banner', '-loglevel', 'error', '-re', '-i', file, ...output];
  const child = spawn('ffmpeg', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  return child;
}

function packed24(pcm: Buffer): Buffer {
  const packed = Buffer.alloc((pcm.length / 4) * 3);
  for (let at = 0; at < pcm.length / 4; at += 1) pcm.copy(packed, at * 3, at * 4, at * 4 + 3);
  return packed;
}

/** Is told where a stream is waited for. */
async function announcements(): Promise<SapPacket[]> {
  const heard: SapPacket[] = [];
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.on('message', (datagram) => {
    const packet = readSapPacket(datagram);
    if (packet) heard.push(packet);
  });
  socket.bind(sapPort);
  await once(socket, 'listening');
  socket.addMembership('239.255.255.255', '127.0.0.1');
  onTestFinished(() => void socket.close());
  return heard;
}

describe('sessions', () => {
  it('are played where they are announced, follow there, and end with their announcement', async () => {
    const fed = uniqueSignal({ format: format16, seconds: 1 });
    const rig = await playing('rtp:///?name=N&sap=listen&session=Main&iface=127.0.0.1');
    const ports = [await freePort(), await freePort()] as const;
    const other = new LoopbackAnnouncer({ name: 'Other', port: 9, hash: 9 });
    const first = new LoopbackAnnouncer({ name: 'Main', port: ports[0] });
    const second = new LoopbackAnnouncer({ name: 'Main', port: ports[1], hash: 2 });
    onTestFinished(() => {
      for (const one of [other, first, second]) one.close();
    });
    // The source may not listen yet.
    await until(() => {
      void other.announce();
      return rig.log.with('another session is announced').length > 0;
    });
    for (const [announcer, port] of [
      [first, ports[0]],
      [second, ports[1]],
    ] as const) {
      await announcer.announce();
      await until(() => openPorts(rig).includes(port), 'it listens');
      await feedRtp(port, fed);
      await until(() => rig.states.at(-1) === 'idle', 'the stream is idle');
    }
    const runs = exactRuns({ fed, recorded: rig.audio, format: format16 });
    expect(runs.map(({ share }) => Math.round(10 * share))).toEqual([10, 10]);
    await second.announce({ isDeletion: true });
    await until(() => rig.log.with('the session has ended').length === 1);
  });

  it('of another rate are refused with what to write', async () => {
    const rig = await playing('rtp:///?name=N&sap=listen&session=Main&iface=127.0.0.1');
    const announcer = new LoopbackAnnouncer({ name: 'Main', port: 9, rateHz: 44_100 });
    onTestFinished(() => announcer.close());
    await until(() => {
      void announcer.announce();
      return rig.log.with('packets are not played').length > 0;
    });
    const [line] = rig.log.with('packets are not played');
    expect(line?.fields.reason).toContain('write sampleformat=44100:16:2');
    expect(rig.log.with('session found')).toEqual([]);
  });

  it('are announced while they are waited for, and taken back in the end', async () => {
    const heard = await announcements();
    const port = await freePort();
    const address = `udp://127.0.0.1:${port}?name=Box&mode=rtp&sap=true&iface=127.0.0.1`;
    const rig = await new StreamRig(address).play();
    await until(() => heard.length > 0, 'it is announced');
    expect(await readSessionDescription(heard[0]!.description)).toMatchObject({
      ...{ name: 'Box', address: '127.0.0.1', port, encoding: 'L16', rateHz: 48_000, channels: 2 },
    });
    await rig.stream.stop();
    await until(() => heard.some(({ isDeletion }) => isDeletion), 'it is taken back');
    expect(heard.at(-1)?.hash).toBe(heard[0]?.hash);
    rig.pool.close();
  });

  it.each(['file', 'URL'])('are described by a %s', async (kind) => {
    const port = await freePort();
    const sdp = sdpOf(port);
    const file = join(folder.path, 'x.sdp');
    writeFileSync(file, sdp);
    const server = createServer((_, response) => response.end(sdp));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port: httpPort } = server.address() as AddressInfo;
    const place = kind === 'URL' ? `http://127.0.0.1:${httpPort}/x.sdp` : file;
    const rig = await playing(`rtp://127.0.0.1?name=N&sdp=${encodeURIComponent(place)}`);
    expect(`${rig.stream.format}`).toBe('44100:24:1');
    await until(() => openPorts(rig).includes(port), 'it listens');
  });
});

function sdpOf(port: number): string {
  const session = {
    name: 'S',
    address: '239.1.2.3',
    port,
    payloadType: 96,
    encoding: 'L24',
  } as const;
  return writeSessionDescription(
    { ...session, rateHz: 44_100, channels: 1 },
    { sessionId: 1, ownAddress: '192.0.2.1' },
  );
}

function openPorts(rig: StreamRig): number[] {
  return rig.log
    .with('waiting for a sender')
    .map(({ fields }) => Number(String(fields.address).split(':').at(-1)));
}

describe('an address', () => {
  it.each([
    ['encoding=L8', /write L16 or L24/],
    ['payload_type=128', /payload_type=128 .* from 0 to 127/],
    ['ssrc=x', /ssrc=x .* whole number/],
    ['source=house', /IP address of the sender/],
    ['sap=loud', /announce, listen or off/],
    ['sampleformat=48000:32:2', /16 or 24 bits/],
    ['payload_type=10&sampleformat=48000:16:2', /what is sent is 44100:16:2/],
    ['sdp=/nonexistent/x.sdp', /x.sdp cannot be read/],
  ])('with %s disables its stream and says what is allowed', async (query, reason) => {
    const rig = await playing(`rtp://127.0.0.1:0?name=N&${query}`);
    expect(rig.stream.state).toBe('disabled');
    expect(rig.stream.fault?.message).toMatch(reason);
  });

  it.each([
    ['rtp://127.0.0.1:0?name=N&payload_type=11', '44100:16:1'],
    ['rtp://127.0.0.1:0?name=N&encoding=L24', '48000:24:2'],
    ['rtp://127.0.0.1:0?name=N&encoding=L24&sampleformat=96000:16:6', '96000:16:6'],
    ['udp://127.0.0.1:0?name=N&sampleformat=22050:8:1', '22050:8:1'],
  ])('%s has the format %s', async (address, format) => {
    expect(`${(await playing(address)).stream.format}`).toBe(format);
  });

  it('waits at the port that a parameter names, for the sender of that number and address', async () => {
    const port = await freePort();
    const query = 'ssrc=0x2&payload_type=98&jitter_ms=0&source=127.0.0.1';
    const rig = await playing(`rtp://127.0.0.1?name=N&port=${port}&${query}`);
    await until(() => openPorts(rig).includes(port), 'it listens');
    const audio = uniqueSignal({ format: format16, seconds: 0.2 });
    const socket = createSocket('udp4');
    onTestFinished(() => void socket.close());
    for (const [ssrc, payloadType] of [
      [1, 98],
      [2, 97],
      [2, 98],
    ] as const) {
      const sender = new RtpSender({ ssrc, payloadType });
      for (const packet of sender.packets(audio, 288)) {
        socket.send(packet, port, '127.0.0.1');
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
    await until(() => rig.audio.length >= 0.9 * audio.length, 'it is heard');
    await until(() => rig.states.at(-1) === 'idle', 'the stream is idle');
    expect(rig.stream.reception?.packets).toBe(Math.ceil(audio.length / 4 / 288));
    const runs = exactRuns({ fed: audio, recorded: rig.audio, format: format16 });
    expect(runs.map(({ share }) => Math.round(share))).toEqual([1]);
  });

  it('whose port is taken says so', async () => {
    const port = await freePort();
    const first = await playing(`rtp://127.0.0.1:${port}?name=N`);
    await until(() => openPorts(first).includes(port), 'it listens');
    const second = await playing(`udp://127.0.0.1:${port}?name=M`);
    await until(() => second.stream.state === 'disabled', 'it is disabled');
    expect(second.stream.fault?.message).toContain('another stream or program has this port');
  });
});

describe.skipIf(namespacesAreOff || isMissing)('a group', () => {
  let there: NetworkNamespace;
  beforeEach(() => {
    there = new NetworkNamespace();
    ip('-n', there.name, 'route', 'add', '224.0.0.0/4', 'dev', there.devices[1]);
  });
  afterEach(() => there.close());

  /** The real sender over there. */
  function send(fed: Buffer, output: readonly string[]): ChildProcess {
    const file = join(folder.path, 'audio.wav');
    writeFileSync(file, wavFile(fed));
    const args = ['-nostdin', '-loglevel', 'error', '-re', '-i', file, '-c:a', 'pcm_s16be'];
    const command = ['netns', 'exec', there.name, 'ffmpeg', ...args, ...output];
    const child = spawn('ip', command, { stdio: ['ignore', 'ignore', 'inherit'] });
    onTestFinished(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    });
    return child;
  }

  it('is joined on its interface, for its sender alone', async () => {
    const fed = uniqueSignal({ format: format16, seconds: 2 });
    const [iface] = there.devices;
    const own = await playing(`rtp://239.69.7.1:5010?name=N&iface=${iface}&source=${there.there}`);
    const foreign = await playing(
      `rtp://239.69.7.1:5010?name=F&iface=${there.here}&source=10.9.9.9`,
    );
    await until(() => [own, foreign].every((rig) => openPorts(rig).length === 1), 'both listen');
    await once(send(fed, ['-f', 'rtp', 'rtp://239.69.7.1:5010?pkt_size=300']), 'exit');
    await until(() => own.states.at(-1) === 'idle', 'the stream is idle');
    const runs = exactRuns({ fed, recorded: own.audio, format: format16 });
    expect(runs.map(({ share }) => Math.round(100 * share))).toEqual([100]);
    expect(foreign.published).toEqual([]);
  });

  it('is found by the announcement of ffmpeg', async () => {
    const fed = uniqueSignal({ format: format16, seconds: 12 });
    const rig = await playing(`rtp:///?name=N&sap=listen&iface=${there.devices[0]}`);
    const child = send(fed, ['-f', 'sap', 'sap://239.69.7.2:5010?ttl=4']);
    await until(() => rig.states.at(-1) === 'playing', 'it plays');
    await until(() => rig.audio.length > 1.5 * 192_000, 'more than a second is heard');
    child.kill('SIGINT');
    await until(() => rig.states.at(-1) === 'idle', 'the stream is idle');
    const runs = exactRuns({ fed, recorded: rig.audio, format: format16 });
    expect(runs).toHaveLength(1);
    expect(rig.stream.reception).toMatchObject({ lostPackets: 0 });
  });

  it('that cannot be joined yet is joined when it can', async () => {
    const [iface] = there.devices;
    ip('addr', 'flush', 'dev', iface);
    const rig = await playing(`rtp://239.69.7.3:5010?name=N&iface=${iface}`);
    await until(() => rig.log.with('the group cannot be joined yet').length > 0);
    ip('addr', 'add', `${there.here}/30`, 'dev', iface);
    await until(() => openPorts(rig).length === 1, 'it listens');
    expect(rig.log.with('the group cannot be joined yet')).toHaveLength(1);
  });
});

describe.skipIf(isMissing)('ffmpeg as a sender', () => {
  it.each([
    ['pcm_s16be', 'rtp://127.0.0.1:0?name=N', format16, 300],
    ['pcm_s24be', 'rtp://127.0.0.1:0?name=N&encoding=L24', format24, 300],
    ['pcm_s16be', 'udp://127.0.0.1:0?name=N&mode=rtp&buffer_ms=50', format16, 1472],
  ] as const)(
    'is heard without a missing sample: %s at %s',
    async (codec, address, format, size) => {
      const fed = uniqueSignal({ format, seconds });
      const rig = await playing(address);
      const port = await portOf(rig);
      const target = `rtp://127.0.0.1:${port}?pkt_size=${size}`;
      await once(ffmpeg(fed, format, ['-c:a', codec, '-f', 'rtp', target]), 'exit');
      await until(() => rig.states.at(-1) === 'idle', 'the stream is idle');
      const runs = exactRuns({ fed, recorded: rig.audio, format });
      expect(runs).toHaveLength(1);
      expect(runs[0]!.share).toBeGreaterThan(0.999);
      expect(rig.stream.reception).toMatchObject({
        lostPackets: 0,
        latePackets: 0,
        concealedMs: 0,
      });
      expect(rig.stream.driftPpm).toBe(0);
    },
  );

  it('sends raw PCM', async () => {
    const fed = uniqueSignal({ format: format16, seconds });
    const rig = await playing('udp://127.0.0.1:0?name=N');
    const port = await portOf(rig);
    const target = `udp://127.0.0.1:${port}?pkt_size=1200`;
    await once(ffmpeg(fed, format16, ['-f', 's16le', target]), 'exit');
    await until(() => rig.states.at(-1) === 'idle', 'the stream is idle');
    const runs = exactRuns({ fed, recorded: rig.audio, format: format16 });
    expect(runs).toHaveLength(1);
    expect(runs[0]!.share).toBeGreaterThan(0.999);
  });

  it('is heard at its pace over a bad network, and only what was lost is missing', async () => {
    const fed = uniqueSignal({ format: format16, seconds });
    const rig = await playing('rtp://127.0.0.1:0?name=N');
    const relay = await UdpRelay.open(await portOf(rig), 42);
    onTestFinished(() => relay.close());
    relay.misbehave({ drop: 0.05, duplicate: 0.05, swap: 0.1 });
    const target = `rtp://127.0.0.1:${relay.port}?pkt_size=300`;
    await once(ffmpeg(fed, format16, ['-c:a', 'pcm_s16be', '-f', 'rtp', target]), 'exit');
    await until(() => rig.states.at(-1) === 'idle', 'the stream is idle');
    const runs = exactRuns({ fed, recorded: rig.audio, format: format16 });
    // What lies between two good pieces is as long in the recording as it was sent.
    const offsets = new Set(runs.map(({ fedFrame, recordedFrame }) => recordedFrame - fedFrame));
    expect(offsets.size).toBe(1);
    const { lostPackets, duplicatePackets, latePackets, concealedMs } = rig.stream.reception!;
    // What is lost behind the last packet is not missed.
    expect(lostPackets).toBeLessThanOrEqual(relay.dropped);
    expect(lostPackets).toBeGreaterThan(relay.dropped - 4);
    expect(relay.dropped).toBeGreaterThan(50);
    expect(duplicatePackets).toBeGreaterThan(50);
    expect(latePackets).toBe(0);
    expect(concealedMs).toBeGreaterThan(0.8 * 1.5 * lostPackets);
    expect(concealedMs).toBeLessThanOrEqual(1.5 * lostPackets);
  });
});
