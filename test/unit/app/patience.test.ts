import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { iterableSource } from '../../../src/audio/sources/iterable-source.ts';
import { type ControlPeer, maxLingerMs } from '../../../src/control/control-peer.ts';
import { ControlEnds, type ControlTransport } from '../../support/control-ends.ts';
import { PlayerRig } from '../../support/player-rig.ts';
import { PluginRig, pluginScript } from '../../support/plugin-rig.ts';
import { makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';
import { ScriptedClient } from '../../support/scripted-client.ts';
import { SourceHarness } from '../../support/source-harness.ts';
import { turn } from '../../support/waiting.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

const cd = SampleFormat.parse('44100:16:2');

/** A port that answers nobody once `fill` has filled the queue of those who wait there. */
async function silentPort(): Promise<{
  readonly port: number;
  readonly fill: () => Promise<void>;
}> {
  const program =
    'import socket, time; s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(0); ' +
    'print(s.getsockname()[1], flush=True); time.sleep(600)';
  const child = spawn('python3', ['-c', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = await once(child.stdout, 'data');
  const port = Number(line);
  const fill = async () => {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
  };
  return { port, fill };
}

/** Waits while time stands still. */
async function untilSo(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

/** Lets so much time pass, and what happens then happen. */
async function pass(ms: number): Promise<void> {
  vi.advanceTimersByTime(ms);
  for (let turns = 0; turns < 20; turns += 1) await turn();
}

describe('patience is over in time, and not before', () => {
  it('with a player that does not say Hello', async () => {
    const rig = await PlayerRig.open([], { helloTimeoutMs: 5000 });
    onTestFinished(async () => expect(await rig.close()).toBe(true));
    rig.keep(await ScriptedClient.connect(rig.port));
    await untilSo(() => rig.server.sessionCount === 1);
    await pass(4999);
    expect(rig.server.sessionCount).toBe(1);
    await pass(1);
    expect(rig.server.sessionCount).toBe(0);
    expect(rig.log.with('no Hello within 5000 ms')).toHaveLength(1);
  });

  it('with a program that is silent', async () => {
    const folder = makeScratchFolder();
    onTestFinished(() => removeScratchFolder(folder));
    const program = join(folder, 'program');
    writeFileSync(program, '#!/bin/sh\nprintf 12345678\nexec sleep 60\n');
    chmodSync(program, 0o755);
    const harness = new SourceHarness(`process://${program}?wd_timeout=7`).start();
    onTestFinished(() => harness.source.stop());
    harness.ask(8);
    await untilSo(() => harness.filledCount === 1);
    const silent = () => harness.logged('program is silent and is ended').length;
    await pass(6999);
    expect(silent()).toBe(0);
    await pass(1);
    expect(silent()).toBe(1);
    vi.useRealTimers();
  });

  it('with a control script that does not answer', async () => {
    const rig = new PluginRig(pluginScript('player.mjs'), { timing: { answerTimeoutMs: 2000 } });
    onTestFinished(() => rig.plugin.stop());
    await untilSo(() => rig.announced.length === 1);
    const said: unknown[] = [];
    void rig.plugin.control('be silent').catch((error: unknown) => said.push(error));
    await pass(1999);
    expect(said).toEqual([]);
    await pass(1);
    expect(said).toHaveLength(1);
    vi.useRealTimers();
  });

  it('with a producer whose machine answers nothing', async () => {
    const { port, fill } = await silentPort();
    await fill();
    const harness = new SourceHarness(`tcp://127.0.0.1:${port}?mode=client`).start();
    onTestFinished(() => harness.source.stop());
    harness.ask(8);
    const lost = () => harness.logged('producer not reachable').map(({ fields }) => fields.reason);
    await pass(4999);
    expect(lost()).toEqual([]);
    await pass(1);
    expect(lost()).toEqual(['no answer within 5 s']);
  });

  it('with an input of a program that does not let go', async () => {
    const input = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ value: Buffer.alloc(4000), done: false as const }),
        return: () => new Promise<never>(() => {}),
      }),
    };
    const harness = new SourceHarness(iterableSource({ format: cd, input })).start();
    harness.ask(400);
    await untilSo(() => harness.filledCount === 1);
    let isStopped = false;
    void harness.source.stop().then(() => {
      isStopped = true;
    });
    await pass(999);
    expect(isStopped).toBe(false);
    await pass(1);
    expect(isStopped).toBe(true);
  });

  it.each<ControlTransport>(['TCP', 'WebSocket'])(
    'with a closed controller that goes on talking: %s',
    async (transport) => {
      const peers: ControlPeer[] = [];
      const ends = await ControlEnds.open({
        transport,
        onPeer: (peer) => {
          peers.push(peer);
          peer.open({ isLoggedIn: () => true, onText() {}, onEnd() {}, onClose() {} });
        },
      });
      onTestFinished(() => ends.close());
      const { socket } = await ends.connect();
      await untilSo(() => peers.length === 1);
      socket.allowHalfOpen = true;
      socket.removeAllListeners('data').resume();
      peers[0]?.close('enough');
      // Pings of a WebSocket, which are masked.
      const word = transport === 'TCP' ? 'x' : Buffer.from([0x89, 0x80, 0, 0, 0, 0]);
      const talk = setInterval(() => socket.write(word), 100);
      onTestFinished(() => clearInterval(talk));
      await pass(maxLingerMs - 1);
      expect(await ends.connections()).toBe(1);
      await pass(1);
      while ((await ends.connections()) > 0) await turn();
    },
  );

  it('with a closed controller that stands still', async () => {
    const ends = await ControlEnds.open({
      transport: 'TCP',
      onPeer: (peer) => {
        peer.open({ isLoggedIn: () => true, onText() {}, onEnd() {}, onClose() {} });
        peer.close('enough');
      },
    });
    onTestFinished(() => ends.close());
    const { socket } = await ends.connect();
    socket.allowHalfOpen = true;
    // The time that talkers get never passes here.
    while ((await ends.connections()) > 0) await turn();
  });
});
