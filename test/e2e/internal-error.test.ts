import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { messageType } from '../../src/protocol/layout.ts';
import { ControlClient } from '../support/control-client.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { freePort, ServerProcess } from '../support/server-process.ts';
import { until } from '../support/waiting.ts';

type Way = 'exception' | 'rejection' | 'clock' | 'disk';

const added = 'tone:///?name=Added';

/** A server that breaks in some way at SIGUSR2, right after a controller has changed something. */
async function breakBy(way: Way): Promise<{ server: ServerProcess; folder: string }> {
  const folder = makeScratchFolder();
  onTestFinished(() => removeScratchFolder(folder));
  const controlPort = await freePort();
  const preload = new URL('../support/preloads/break.mjs', import.meta.url);
  const server = await ServerProcess.start({
    sources: ['tone:///?name=Tone&codec=pcm'],
    options: [
      `--server.datadir=${folder}`,
      '--stream.persist_added=true',
      '--tcp-control.enabled=true',
      '--tcp-control.bind_to_address=127.0.0.1',
      `--tcp-control.port=${controlPort}`,
    ],
    environment: { BREAK_BY: way },
    node: [process.execPath, `--import=${preload.href}`],
  });
  onTestFinished(() => server.kill());
  const player = await ScriptedClient.greet(server.streamPort, 'a');
  onTestFinished(() => player.close());
  await player.untilCount(messageType.serverSettings, 1);
  const controller = await ControlClient.connect(controlPort);
  onTestFinished(() => controller.close());
  const requests = [
    { id: 1, method: 'Stream.AddStream', params: { streamUri: added } },
    { id: 2, method: 'Client.SetName', params: { id: 'a', name: 'Kitchen' } },
  ];
  for (const request of requests) {
    controller.send(`${JSON.stringify({ jsonrpc: '2.0', ...request })}\r\n`);
  }
  const answers = () => Buffer.concat(controller.raw).toString();
  await until(() => requests.every(({ id }) => answers().includes(`"id":${id},`)));
  server.signal('SIGUSR2');
  return { server, folder };
}

describe('a server that breaks by a fault of its own', () => {
  it.each(['exception', 'rejection'] as const)(
    'saves what controllers have changed before it ends (%s)',
    async (way) => {
      const { server, folder } = await breakBy(way);
      expect(await server.ended()).toEqual({ exitCode: 1, signal: null });
      expect(readFileSync(join(folder, 'server.json'), 'utf8')).toContain('"Kitchen"');
      expect(readFileSync(join(folder, 'streams.json'), 'utf8')).toContain(added);
      const lines = server.log.text.split('\n');
      const faults = lines.filter((line) => line.includes('internal error'));
      expect(faults.length).toBeGreaterThan(0);
      expect(faults.length).toBeLessThanOrEqual(5);
    },
  );

  it('says at which place of the source', async () => {
    const { server } = await breakBy('clock');
    await server.ended();
    const [, file = '', line] = /\((src\/[\w/-]+\.ts):(\d+):\d+\)/.exec(server.log.text) ?? [];
    expect(file, server.log.text).not.toBe('');
    const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
    expect(text.split('\n')[Number(line) - 1]).toContain('performance.now()');
    expect(server.log.text).not.toMatch(/dist\/.*\.js:\d/);
  });

  it('ends also when the disk answers nothing any more', async () => {
    const { server } = await breakBy('disk');
    expect(await server.ended()).toEqual({ exitCode: 1, signal: null });
    expect(server.log.text).toContain('does not close in time and is left');
  });
});
