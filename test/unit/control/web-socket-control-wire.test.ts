import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { ControlMessage, type ControlPeer } from '../../../src/control/control-peer.ts';
import { ControlEnds } from '../../support/control-ends.ts';
import { controlPeerContext } from '../../support/control-limits.ts';
import { until } from '../../support/waiting.ts';

const pingIntervalMs = 20;

const opened: ControlEnds[] = [];
const webSockets: WebSocket[] = [];

afterEach(() => {
  for (const webSocket of webSockets.splice(0)) webSocket.terminate();
  for (const ends of opened.splice(0)) ends.close();
});

interface Heard {
  readonly peers: ControlPeer[];
  readonly texts: string[];
  readonly closings: string[];
  readonly faults: string[];
}

/** A browser connected to a peer that answers each request with itself. */
async function browser(options: { readonly pings?: boolean; readonly autoPong?: boolean } = {}) {
  const heard: Heard = { peers: [], texts: [], closings: [], faults: [] };
  const ends = await ControlEnds.open({
    transport: 'WebSocket',
    onPeer: (peer) => listenTo(peer, heard),
    context: controlPeerContext(options.pings ? { peerTimeoutMs: 3 * pingIntervalMs } : {}),
  });
  opened.push(ends);
  const webSocket = new WebSocket(`ws://127.0.0.1:${ends.port}/jsonrpc`, {
    autoPong: options.autoPong ?? true,
  });
  webSockets.push(webSocket);
  webSocket.on('error', () => {});
  await once(webSocket, 'open');
  await until(() => heard.peers.length === 1);
  return { webSocket, heard };
}

function listenTo(peer: ControlPeer, heard: Heard): void {
  heard.peers.push(peer);
  peer.open({
    isLoggedIn: () => true,
    onText: (text) => {
      heard.texts.push(text);
      peer.send(new ControlMessage(text));
    },
    onEnd: () => {},
    onClose: (reason, isFault) => {
      heard.closings.push(reason);
      if (isFault) heard.faults.push(reason);
    },
  });
}

/** Resolves after `count` pings. */
async function pings(webSocket: WebSocket, count: number): Promise<void> {
  for (let heard = 0; heard < count; heard += 1) await once(webSocket, 'ping');
}

describe('a control peer over WebSocket', () => {
  it('takes text and binary frames, and answers with text', async () => {
    const { webSocket, heard } = await browser();
    const frames: boolean[] = [];
    webSocket.on('message', (_, isBinary) => frames.push(isBinary));
    webSocket.send('"€"');
    webSocket.send(Buffer.from('"ä"\r\n'));
    await until(() => frames.length === 2);
    expect(heard.texts).toEqual(['"€"', '"ä"']);
    expect(frames).toEqual([false, false]);
  });

  it('takes messages in fragments', async () => {
    const { webSocket, heard } = await browser();
    webSocket.send('{"a"', { fin: false });
    webSocket.send(':1}', { fin: true });
    await until(() => heard.texts.length === 1);
    expect(heard.texts).toEqual(['{"a":1}']);
  });

  it('answers pings', async () => {
    const { webSocket } = await browser();
    webSocket.ping('are you there');
    const [data] = await once(webSocket, 'pong');
    expect(String(data)).toBe('are you there');
  });

  it('closes upon a message that is too large', async () => {
    const { webSocket, heard } = await browser();
    webSocket.send('x'.repeat(1024 * 1024 + 1));
    const [code] = await once(webSocket, 'close');
    expect(code).toBe(1009);
    expect(heard.closings).toEqual(['protocol violation: Max payload size exceeded']);
    expect(heard.faults).toEqual(heard.closings);
  });

  it('closes upon text that is none', async () => {
    const { webSocket, heard } = await browser();
    webSocket.send(Buffer.from([0xff]), { binary: false });
    const [code] = await once(webSocket, 'close');
    expect(code).toBe(1007);
    expect(heard.faults).toEqual([
      'protocol violation: Invalid WebSocket frame: invalid UTF-8 sequence',
    ]);
  });

  it('tells browsers that it goes away', async () => {
    const { webSocket, heard } = await browser();
    heard.peers[0]?.close('the server stops');
    const [code] = await once(webSocket, 'close');
    expect(code).toBe(1001);
    expect(heard.closings).toEqual(['the server stops']);
  });

  it('ends with the browser', async () => {
    const { webSocket, heard } = await browser();
    webSocket.close();
    await until(() => heard.closings.length > 0);
    expect([heard.closings, heard.faults]).toEqual([['closed by the peer'], []]);
  });

  it('keeps browsers that answer its pings', async () => {
    const { webSocket, heard } = await browser({ pings: true });
    await pings(webSocket, 6);
    expect(heard.closings).toEqual([]);
  });

  it('keeps browsers that say something instead', async () => {
    const { webSocket, heard } = await browser({ pings: true, autoPong: false });
    for (let count = 0; count < 6; count += 1) {
      await pings(webSocket, 1);
      webSocket.send('1');
    }
    expect(heard.closings).toEqual([]);
  });

  it('closes browsers that do not answer', async () => {
    const { webSocket, heard } = await browser({ pings: true, autoPong: false });
    const [code] = await once(webSocket, 'close');
    expect(code).toBe(1006);
    expect(heard.closings).toEqual(['does not answer: 2 pings were in vain']);
    expect(heard.faults).toEqual(heard.closings);
  });

  it('does not blame a browser to which it does not listen itself', async () => {
    const { webSocket, heard } = await browser({ pings: true, autoPong: false });
    heard.peers[0]?.pause();
    webSocket.send('1');
    await new Promise((resolve) => setTimeout(resolve, 10 * pingIntervalMs));
    expect(heard.closings).toEqual([]);
    heard.peers[0]?.resume();
    await until(() => heard.texts.length === 1);
  });
});
