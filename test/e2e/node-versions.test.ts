import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { ControlClient } from '../support/control-client.ts';
import { installNodes, type NodePrograms } from '../support/node-programs.ts';
import { assertBuilt, freePort, mainFile, ServerProcess } from '../support/server-process.ts';
import { groupOf } from '../support/server-status.ts';
import { Snapclient, snapclientIsMissing } from '../support/snapclient.ts';

/** The least that is supported, and all that are looked after. */
const versions = ['20.19.0', '22', '24', '26'];
const run = promisify(execFile);
let nodes: NodePrograms;

beforeAll(async () => {
  assertBuilt();
  nodes = await installNodes(versions);
  if (process.env.CI === 'true' && nodes.problem !== undefined) throw new Error(nodes.problem);
}, 600_000);

describe.skipIf(snapclientIsMissing)('the server', () => {
  it.for(versions)(
    'plays on Node %s, with its addon and without a warning',
    async (version, { skip }) => {
      const node = nodes.programs.get(version);
      if (node === undefined) return skip(nodes.problem);
      expect((await run(node, ['--version'])).stdout).toMatch(
        new RegExp(`^v${version}(?:\\.|\\s)`),
      );
      const [controlPort, httpPort] = [await freePort(), await freePort()];
      const server = await ServerProcess.start({
        node: [node, '--pending-deprecation', '--trace-warnings'],
        sources: ['tone:///?name=Flac&codec=flac', 'tone:///?name=Opus&codec=opus'],
        options: [
          '--tcp-control.enabled=true',
          `--tcp-control.port=${controlPort}`,
          '--http.enabled=true',
          `--http.port=${httpPort}`,
          '--server.mdns_enabled=true',
        ],
      });
      try {
        expect(readFileSync(`/proc/${server.pid}/maps`, 'latin1')).toContain('/zerocast.node');
        const client = await Snapclient.start({ port: server.streamPort, hostId: 'zc-node' });
        try {
          await client.heardSound();
          const probe = [
            mainFile,
            'probe',
            `127.0.0.1:${server.streamPort}`,
            '--seconds',
            '1',
            '--json',
          ];
          const { stdout, stderr } = await run(node, ['--pending-deprecation', ...probe]).catch(
            // A busy machine may let audio come late; what the probe says counts.
            (error: { stdout: string; stderr: string }) => error,
          );
          const report = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
          expect(report).toMatchObject({ codec: 'flac', decodeErrors: 0, done: true });
          expect(report.chunks).toBeGreaterThan(10);
          expect(stderr).not.toMatch(/Warning/);
          await toStream('Opus', controlPort);
          await client.log.waitFor(/Codec: opus/);
          expect((await fetch(`http://127.0.0.1:${httpPort}/metrics`)).status).toBe(200);
        } finally {
          await client.kill();
        }
        await server.stop();
      } finally {
        await server.kill();
      }
      expect(server.log.text).not.toMatch(/Warning|JavaScript path|\[(?:Error|Fatal)\]/);
    },
  );
});

/** Gives the one group that there is this stream. */
async function toStream(stream_id: string, port: number): Promise<void> {
  const controller = await ControlClient.connect(port);
  const { id } = groupOf(await controller.status(), 'zc-node');
  await controller.request('Group.SetStream', { id, stream_id });
  controller.close();
}
