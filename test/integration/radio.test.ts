import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { messageType } from '../../src/protocol/layout.ts';
import { makeCertificate } from '../support/certificates.ts';
import { correlate } from '../support/correlation.ts';
import { scratchFolder } from '../support/fifo.ts';
import {
  encodeSound,
  ffmpegIsMissing,
  RadioServer,
  radioFormat,
  radioSound,
  station,
} from '../support/radio-station.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { freePort, ServerProcess } from '../support/server-process.ts';
import { Snapclient, snapclientIsMissing } from '../support/snapclient.ts';
import { StreamRig } from '../support/stream-rig.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const pcm = radioSound(3);

async function rigFor(url: string): Promise<StreamRig> {
  const address = `radio:///?name=R&codec=pcm&prebuffer_ms=500&url=${encodeURIComponent(url)}`;
  const rig = await new StreamRig(address).play();
  onTestFinished(() => rig.close());
  return rig;
}

async function heardWhole(rig: StreamRig): Promise<number> {
  await until(() => rig.audio.length >= pcm.length, 'all is heard');
  return correlate({ fed: pcm, recorded: rig.audio, format: radioFormat }).coefficient;
}

/** A folder with a stream in pieces, on a web server. */
async function serveHls(): Promise<string> {
  const folder = scratchFolder();
  writeFileSync(join(folder.path, 'all.ts'), encodeSound(pcm, '-f mpegts -c:a aac -b:a 192k'));
  const cut = spawn('ffmpeg', [
    ...['-v', 'error', '-i', join(folder.path, 'all.ts'), '-c', 'copy', '-f', 'hls'],
    ...['-hls_time', '1', '-hls_list_size', '0', join(folder.path, 'list.m3u8')],
  ]);
  await once(cut, 'exit');
  const server = createServer(({ url = '' }, response) => {
    const type = url.endsWith('.m3u8') ? 'application/vnd.apple.mpegurl' : 'video/mp2t';
    response.writeHead(200, { 'Content-Type': type }).end(readFileSync(join(folder.path, url)));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
    folder.remove();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/list.m3u8`;
}

describe.skipIf(ffmpegIsMissing)('a radio stream', () => {
  it('plays a station that comes in pieces', async () => {
    const rig = await rigFor(await serveHls());
    expect(await heardWhole(rig)).toBeGreaterThan(0.97);
    expect(rig.log.with('connected to station')[0]?.fields).toMatchObject({ type: 'HLS' });
  });

  it('plays what ffmpeg sends as a station', async () => {
    const port = await freePort();
    const sender = spawn('ffmpeg', [
      ...'-v error -re -f s16le -ar 48000 -ac 2 -i pipe:0 -f mp3 -b:a 192k'.split(' '),
      ...'-content_type audio/mpeg -listen 1'.split(' '),
      `http://127.0.0.1:${port}/live`,
    ]);
    onTestFinished(() => void sender.kill('SIGKILL'));
    sender.stdin.on('error', () => undefined);
    sender.stdin.end(pcm);
    const rig = await rigFor(`http://127.0.0.1:${port}/live`);
    expect(await heardWhole(rig)).toBeGreaterThan(0.97);
    expect(rig.log.with('connected to station')[0]?.fields).toMatchObject({ type: 'audio/mpeg' });
  });

  it('is connected again when its station falls silent', async () => {
    const radio = await RadioServer.open();
    onTestFinished(() => radio.close());
    const sound = encodeSound(radioSound(1), '-f mp3 -b:a 192k');
    radio.on('/a', station({ sound, stays: true }));
    const startMs = performance.now();
    const rig = await rigFor(radio.url('/a'));
    await vi.waitFor(() => expect(radio.requests.length).toBeGreaterThan(1), { timeout: 120_000 });
    expect(performance.now() - startMs).toBeGreaterThan(19_000);
    expect(rig.log.with('station not heard')[0]?.fields.reason).toContain('20 s');
  });

  it('plays a station by HTTPS whose certificate it can check, and no other', async () => {
    const folder = scratchFolder();
    const at = (file: string) => join(folder.path, file);
    for (const name of ['known', 'unknown']) makeCertificate({ folder: folder.path, name });
    const sound = encodeSound(radioSound(20), '-f mp3 -b:a 192k');
    const serve = async (name: string) => {
      const pair = { cert: readFileSync(at(`${name}.crt`)), key: readFileSync(at(`${name}.key`)) };
      const web = createSecureServer(pair, (_request, response) => {
        response.writeHead(200, { 'Content-Type': 'audio/mpeg' }).write(sound);
      });
      await once(web.listen(0, '127.0.0.1'), 'listening');
      onTestFinished(() => {
        web.closeAllConnections();
        web.close();
      });
      return `https://127.0.0.1:${(web.address() as AddressInfo).port}/live`;
    };
    const source = (name: string, url: string) =>
      `radio:///?name=${name}&on_demand=false&prebuffer_ms=500&url=${encodeURIComponent(url)}`;
    const server = await ServerProcess.start({
      sources: [source('Good', await serve('known')), source('Bad', await serve('unknown'))],
      environment: { NODE_EXTRA_CA_CERTS: at('known.crt') },
    });
    onTestFinished(async () => {
      await server.kill();
      folder.remove();
    });
    await server.log.waitFor(/connected to station stream=Good type=audio\/mpeg/);
    await server.log.waitFor(/station not heard stream=Bad reason=.*self-signed certificate/);
    const player = await ScriptedClient.greet(server.streamPort, 'player');
    await player.untilCount(messageType.wireChunk, 20);
    await player.close();
    expect(server.log.text).not.toContain('connected to station stream=Bad');
  });
});

describe.skipIf(ffmpegIsMissing)('a station on demand', () => {
  it('is connected while a player that is not muted is there', async () => {
    const sound = encodeSound(radioSound(60), '-f mp3 -b:a 64k');
    const connections = new Set<object>();
    const web = createServer((request, response) => {
      connections.add(request.socket);
      request.socket.on('close', () => connections.delete(request.socket));
      response.writeHead(200, { 'Content-Type': 'audio/mpeg' }).write(sound);
    });
    await once(web.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}/`;
    const server = await TestServer.start(
      `stream.source=radio:///?name=R&linger_ms=0&prebuffer_ms=500&url=${encodeURIComponent(url)}`,
    );
    onTestFinished(async () => {
      await server.stop();
      web.closeAllConnections();
      web.close();
    });
    const stream = server.application.streams.channels.get('R')!.stream;
    expect([stream.state, connections.size]).toEqual(['idle', 0]);
    const player = await ScriptedClient.greet(server.port, 'player');
    await until(() => stream.state === 'playing' && connections.size === 1, 'it plays');
    const mute = (muted: boolean) =>
      server.application.request('Client.SetVolume', { id: 'player', volume: { muted } });
    await mute(true);
    await until(() => stream.state === 'idle' && connections.size === 0, 'it is left');
    await mute(false);
    await until(() => stream.state === 'playing' && connections.size === 1, 'it plays again');
    await player.close();
    await until(() => stream.state === 'idle' && connections.size === 0, 'it is left again');
  });
});

describe.skipIf(ffmpegIsMissing || snapclientIsMissing)('a real client', () => {
  it('makes the server connect to a station, and plays what that sends', async () => {
    const sound = encodeSound(pcm, '-f mp3 -b:a 192k');
    const radio = await RadioServer.open();
    radio.on('/a', station({ sound, status: 'ICY 200 OK', stays: true }));
    const url = encodeURIComponent(radio.url('/a'));
    const server = await TestServer.start(
      `stream.source=radio:///?name=R&codec=pcm&prebuffer_ms=500&url=${url}`,
    );
    const client = await Snapclient.start({ port: server.port, hostId: 'listener' });
    onTestFinished(async () => {
      await client.kill();
      await server.stop();
      radio.close();
    });
    await client.playedOut(radioFormat);
    const { pcm: recorded } = await client.stop(radioFormat);
    // What is short at the end stays in the prebuffer, as more could come.
    const fed = pcm.subarray(0, pcm.length - radioFormat.framesIn(500) * radioFormat.frameBytes);
    expect(correlate({ fed, recorded, format: radioFormat }).coefficient).toBeGreaterThan(0.95);
  });
});

describe('a stream made of several', () => {
  it('has the programs of its sources run while it is listened to', async () => {
    const program = '/bin/sh?params=-c "head -c 2000000 /dev/urandom; sleep 60"';
    const server = await TestServer.start(
      `stream.source=process://${program}&name=A&on_demand=true&linger_ms=0&codec=null`,
      'stream.source=meta:///A?name=M&codec=pcm',
    );
    onTestFinished(() => server.stop());
    const stateOf = (id: string) => server.application.streams.channels.get(id)?.stream.state;
    expect([stateOf('A'), stateOf('M')]).toEqual(['idle', 'idle']);
    const player = await ScriptedClient.greet(server.port, 'player');
    await until(() => stateOf('A') === 'playing' && stateOf('M') === 'playing', 'both play');
    await player.close();
    await until(() => stateOf('A') === 'idle', 'the program has ended');
  });
});
