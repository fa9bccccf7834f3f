import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, onTestFinished } from 'vitest';
import { encodeHello } from '../../src/protocol/messages.ts';
import { ControlClient } from '../support/control-client.ts';
import { OutputLog } from '../support/output-log.ts';
import { helloOf, ScriptedClient } from '../support/scripted-client.ts';
import { freePort, ServerProcess } from '../support/server-process.ts';
import { until } from '../support/waiting.ts';

/** A server whose calls of setsockopt are written to a file. */
async function traced() {
  const [controlPort, httpPort] = [await freePort(), await freePort()];
  const server = await ServerProcess.start({
    sources: ['tone:///?name=Tone'],
    options: [
      '--tcp-control.enabled=true',
      '--tcp-control.bind_to_address=127.0.0.1',
      `--tcp-control.port=${controlPort}`,
      '--http.enabled=true',
      '--http.bind_to_address=127.0.0.1',
      `--http.port=${httpPort}`,
      '--server.peer_timeout=12000',
    ],
  });
  onTestFinished(() => server.kill());
  // The connection that asked whether it listens is no peer of the test.
  await server.log.waitFor(/session closed/);
  const folder = mkdtempSync(join(tmpdir(), 'zerocast-trace-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'calls');
  const strace = spawn('strace', ['-e', 'trace=setsockopt', '-o', file, '-p', String(server.pid)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void strace.kill());
  await new OutputLog('strace', strace).waitFor(/attached/);
  return { server, controlPort, httpPort, calls: () => readFileSync(file, 'utf8') };
}

describe('the sockets of all peers', () => {
  it('send without delay, and the kernel watches whether the peer is still there', async () => {
    const { server, controlPort, httpPort, calls } = await traced();
    const player = await ScriptedClient.greet(server.streamPort, 'player');
    const browser = await ScriptedClient.connect(httpPort, { transport: 'WebSocket' });
    browser.send(encodeHello(helloOf('browser'), 2));
    const controller = await ControlClient.connect(controlPort);
    const count = (option: string) => calls().split(option).length - 1;
    // Players that the addon accepts and reads have it from the listening socket, see
    // native/test/acceptor-test.cpp.
    const undelayed = () => count('TCP_NODELAY, [1]') + count('SO_TIMESTAMPNS');
    // strace writes down each call some time after it was made.
    await until(() => {
      const keptAlive = count('SO_KEEPALIVE, [1]');
      return count('TCP_USER_TIMEOUT, [12000]') === 3 && keptAlive === 3 && undelayed() === 3;
    }, 'all have all options');
    for (const peer of [player, controller]) peer.close();
    browser.webSocket?.terminate();
    await server.stop();
  });
});
