import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { ControlMessage, type ControlPeer } from '../../../src/control/control-peer.ts';
import { ControlEnds, type Controller } from '../../support/control-ends.ts';
import { controlLimits } from '../../support/control-limits.ts';
import { turn, until } from '../../support/waiting.ts';

const { maxRequestBytes: maxLineBytes } = controlLimits;

const opened: ControlEnds[] = [];

afterEach(() => {
  for (const ends of opened.splice(0)) ends.close();
});

interface Asked {
  readonly texts: string[];
  readonly closings: string[];
  readonly faults: string[];
}

/** A port whose peers answer each request with itself, after as many turns as `delayMs` takes. */
async function echo(delayMs = 0): Promise<{ ends: ControlEnds; asked: Asked }> {
  const asked: Asked = { texts: [], closings: [], faults: [] };
  const ends = await ControlEnds.open({
    transport: 'TCP',
    onPeer: (peer) => answer(peer, { asked, delayMs }),
  });
  opened.push(ends);
  return { ends, asked };
}

function answer(
  peer: ControlPeer,
  { asked, delayMs }: { readonly asked: Asked; readonly delayMs: number },
): void {
  let pending = 0;
  let hasEnded = false;
  const closeWhenDone = () => {
    if (hasEnded && pending === 0) peer.close('closed by the peer');
  };
  peer.open({
    isLoggedIn: () => true,
    onText: (text) => {
      asked.texts.push(text);
      pending += 1;
      setTimeout(() => {
        pending -= 1;
        peer.send(new ControlMessage(text));
        closeWhenDone();
      }, delayMs);
    },
    onEnd: () => {
      hasEnded = true;
      closeWhenDone();
    },
    onClose: (reason, isFault) => {
      asked.closings.push(reason);
      if (isFault) asked.faults.push(reason);
    },
  });
}

async function send(controller: Controller, bytes: Buffer): Promise<void> {
  if (!controller.socket.write(bytes)) await once(controller.socket, 'drain');
}

describe('a control peer over TCP', () => {
  it('finds texts that arrive in pieces', async () => {
    const { ends } = await echo();
    const controller = await ends.connect();
    for (const byte of Buffer.from('{"a":"ä€𝄞"}\r\n\r\n[1]\n')) {
      await send(controller, Buffer.from([byte]));
    }
    await until(() => controller.texts.length === 2);
    expect(controller.texts).toEqual(['{"a":"ä€𝄞"}', '[1]']);
  });

  it('answers what was asked before the controller ended its side, then ends its own', async () => {
    const { ends, asked } = await echo(50);
    const controller = await ends.connect();
    controller.socket.end('1\n2\nnot a whole line');
    await until(controller.isClosed);
    expect(controller.texts.toSorted()).toEqual(['1', '2']);
    expect(asked.closings).toEqual(['closed by the peer']);
  });

  it('ends its side when the controller has ended its own without a request', async () => {
    const { ends, asked } = await echo();
    const controller = await ends.connect();
    controller.socket.end();
    await until(controller.isClosed);
    expect(asked.closings).toEqual(['closed by the peer']);
  });

  it('hears nothing of what a web page lets a browser post to the port', async () => {
    const { ends, asked } = await echo();
    const controller = await ends.connect();
    const body = '{"id":1,"jsonrpc":"2.0","method":"Server.GetStatus"}';
    controller.socket.write(`POST / HTTP/1.1\r\nHost: box:1705\r\n\r\n${body}\n${body}\n`);
    await until(controller.isClosed);
    expect(asked.texts).toEqual([]);
    expect(asked.faults).toEqual(['protocol violation: a request of HTTP']);
  });

  it('answers whoever pipes one request through a small program', async () => {
    const { ends } = await echo(50);
    const script = `exec 3<>/dev/tcp/127.0.0.1/${ends.port}; echo '{"id":1}' >&3; head -n 1 <&3`;
    const { stdout } = await promisify(execFile)('bash', ['-c', script]);
    expect(stdout).toBe('{"id":1}\r\n');
  });

  it('takes a line as long as allowed', async () => {
    const { ends } = await echo();
    const controller = await ends.connect();
    controller.ask('x'.repeat(maxLineBytes));
    await until(() => controller.texts.length === 1);
    expect(controller.texts[0]).toHaveLength(maxLineBytes);
  });

  it('says why it closes upon a line that is longer, however much follows', async () => {
    const { ends, asked } = await echo();
    const controller = await ends.connect();
    controller.ask('before');
    await until(() => controller.texts.length === 1);
    await send(controller, Buffer.alloc(4 * maxLineBytes, 'x'));
    await until(() => controller.texts.length === 2);
    expect(controller.texts).toEqual([
      'before',
      '{"error":{"code":-32700,"data":"a line has at most 1048576 bytes","message":"Parse error"},"id":null,"jsonrpc":"2.0"}',
    ]);
    await until(controller.isClosed);
    const reason = 'protocol violation: a line of more than 1048576 bytes';
    expect(asked).toEqual({ texts: ['before'], closings: [reason], faults: [reason] });
  });

  it('lets go of a controller that does not end its side', async () => {
    const peers: ControlPeer[] = [];
    const closings: string[] = [];
    const ends = await ControlEnds.open({
      transport: 'TCP',
      onPeer: (peer) => {
        peers.push(peer);
        peer.open({
          isLoggedIn: () => true,
          onText: () => {},
          onEnd: () => {},
          onClose: (why) => closings.push(why),
        });
      },
    });
    opened.push(ends);
    const controller = await ends.connect();
    await until(() => peers.length === 1);
    controller.socket.allowHalfOpen = true;
    peers[0]?.close('enough');
    expect(closings).toEqual(['enough']);
    while ((await ends.connections()) > 0) await turn();
  });
});
