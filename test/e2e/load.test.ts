import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { monotonicClock } from '../../src/base/clock.ts';
import { ProbeClient } from '../../src/probe/probe-client.ts';
import { ControlClient } from '../support/control-client.ts';
import { scratchFolder } from '../support/fifo.ts';
import { withoutSystemLibflac } from '../support/flac-libraries.ts';
import { OutputLog } from '../support/output-log.ts';
import { starvedMs } from '../support/schedule.ts';
import { freePort, ServerProcess } from '../support/server-process.ts';
import { groupOf } from '../support/server-status.ts';
import { until } from '../support/waiting.ts';

const root = new URL('../..', import.meta.url);
const loopTimes = `--import=${fileURLToPath(new URL('../support/preloads/loop-times.mjs', import.meta.url))}`;

interface Rig {
  readonly server: ServerProcess;
  readonly controlPort: number;
}

/** How the first listener of one start fared. */
interface Outcome {
  readonly gaps: number;
  readonly duplicates: number;
  readonly isStarved: boolean;
}

async function start(sources: readonly string[], environment = {}): Promise<Rig> {
  const controlPort = await freePort();
  const server = await ServerProcess.start({
    sources,
    options: [
      '--tcp-control.enabled=true',
      '--tcp-control.bind_to_address=127.0.0.1',
      `--tcp-control.port=${controlPort}`,
    ],
    environment,
  });
  onTestFinished(() => server.kill());
  return { server, controlPort };
}

function listen({ server }: Pick<Rig, 'server'>, id = 'probe'): ProbeClient {
  const probe = new ProbeClient({
    host: '127.0.0.1',
    port: server.streamPort,
    id,
    version: 'test',
    clock: monotonicClock,
    onAudio: () => undefined,
    onClose: () => undefined,
  });
  onTestFinished(() => probe.close('the test is over'));
  return probe;
}

async function connect({ controlPort }: Rig): Promise<ControlClient> {
  const client = await ControlClient.connect(controlPort);
  onTestFinished(() => client.close());
  return client;
}

/** The one group that a player is in plays this stream. */
async function play(controller: ControlClient, stream_id: string, player: string): Promise<void> {
  const { id } = groupOf(await controller.status(), player);
  await controller.request('Group.SetStream', { id, stream_id });
}

/** The longest turn of the event loop since this was asked last, in processor time. */
async function longestTurnMs(process: { log: OutputLog; signal(name: 'SIGUSR2'): void }) {
  const said = /longest turn ([\d.]+) ms/g;
  const { log } = process;
  const before = [...log.text.matchAll(said)].length;
  process.signal('SIGUSR2');
  await until(() => [...log.text.matchAll(said)].length > before, 'it says its longest turn');
  return Number([...log.text.matchAll(said)].at(-1)?.[1]);
}

describe('the first listener after a start', () => {
  it.each(['codec=pcm', 'codec=flac', 'codec=opus', 'codec=opus&sampleformat=44100:16:2'])(
    'gets a whole stream, ten starts in a row: %s',
    async (codec) => {
      const outcomes: Outcome[] = [];
      for (let run = 0; run < 10; run += 1) {
        const server = await ServerProcess.start({ sources: [`tone:///?name=T&${codec}`] });
        try {
          const before = starvedMs(server.pid);
          const probe = listen({ server });
          await until(() => probe.chunks >= 50, 'a second of audio has come').catch((error) => {
            throw new Error(`${error.message}: ${probe.chunks} chunks\n${server.log.text}`);
          });
          const { gaps, duplicates } = probe.continuity;
          outcomes.push({ gaps, duplicates, isStarved: starvedMs(server.pid) - before > 200 });
          probe.close('enough');
          await server.stop();
        } finally {
          await server.kill();
        }
      }
      const isWhole = ({ gaps, duplicates }: Outcome) => gaps + duplicates === 0;
      // A server that gets no processor for a quarter of its buffer cannot be whole.
      expect(outcomes.filter((one) => !isWhole(one) && !one.isStarved)).toEqual([]);
      expect(outcomes.filter(isWhole).length).toBeGreaterThanOrEqual(5);
    },
  );
});

describe('the event loop', () => {
  /** What loading and the first run of one encoder take where nobody has done it before. */
  async function coldMs(specifier: string): Promise<number> {
    const script = `await new Promise((resolve) => setTimeout(resolve, 100));
      process.kill(process.pid, 'SIGUSR2');
      await new Promise((resolve) => setTimeout(resolve, 100));
      await import('${specifier}');
      setTimeout(() => {}, 60_000);
      console.log('loaded');`;
    const child = spawn(process.execPath, [loopTimes, '--input-type=module', '-e', script], {
      cwd: root,
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const log = new OutputLog('the loader', child);
    await log.waitFor(/loaded/);
    return longestTurnMs({ log, signal: (name) => child.kill(name) });
  }

  it('is not held up by the first stream of a kind, nor by its first listener', async () => {
    const rig = await start(['tone:///?name=T&codec=pcm'], { NODE_OPTIONS: loopTimes });
    const controller = await connect(rig);
    const probe = listen(rig);
    await until(() => probe.chunks > 20, 'the first stream plays');
    await longestTurnMs(rig.server);
    const longest = new Map<string, number>();
    for (const [index, codec] of [
      'codec=flac',
      'codec=flac:5&sampleformat=44100:24:2',
      'codec=opus',
      'codec=opus&sampleformat=44100:16:2',
      'codec=opus&sampleformat=96000:24:1',
    ].entries()) {
      const { chunks } = probe;
      await controller.request('Stream.AddStream', {
        streamUri: `tone:///?name=S${index}&${codec}`,
      });
      await play(controller, `S${index}`, 'probe');
      await until(() => probe.chunks > chunks + 30, `${codec} is heard`);
      longest.set(codec, await longestTurnMs(rig.server));
    }
    const cold = await coldMs('libflacjs/dist/libflac.js');
    process.stderr.write(`longest turns ${JSON.stringify([...longest])}, cold ${cold}\n`);
    for (const ms of longest.values()) expect(ms).toBeLessThan(cold / 2);
  });
});

describe('an encoder that is slower than real time', () => {
  it('is named and its stream disabled; other players and controllers do not notice', async () => {
    const heavy = 'tone:///?name=heavy&codec=flac:8&sampleformat=655350:24:8';
    const folder = scratchFolder();
    onTestFinished(() => folder.remove());
    const environment = withoutSystemLibflac(folder.path);
    const rig = await start(['tone:///?name=T&codec=pcm', heavy], environment);
    const controller = await connect(rig);
    const innocent = listen(rig, 'innocent');
    const victim = listen(rig, 'victim');
    await until(() => innocent.chunks > 20 && victim.chunks > 20, 'both play');
    const before = starvedMs(rig.server.pid);
    await play(controller, 'heavy', 'victim');
    const answersMs: number[] = [];
    const isDisabled = () => rig.server.log.text.includes('stream disabled');
    while (!isDisabled()) {
      const startMs = performance.now();
      await controller.request('Server.GetRPCVersion');
      answersMs.push(performance.now() - startMs);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const lines = rig.server.log.text.split('\n').filter((line) => line.includes('heavy'));
    expect(lines.filter((line) => line.includes('[Error]'))).toEqual([
      expect.stringMatching(/stream disabled .*flac:8 of 655350:24:8 takes \d+ % of the time/),
    ]);
    // It plays the default stream again, in its format.
    const { chunks } = victim;
    await until(() => victim.chunks > chunks + 20, 'the other player plays the default stream');
    expect(String(victim.decoder?.format)).toBe('48000:16:2');
    const middleMs = answersMs.sort((a, b) => a - b)[answersMs.length >> 1] ?? 0;
    expect(answersMs.length).toBeGreaterThan(10);
    const isStarved = starvedMs(rig.server.pid) - before > 200;
    process.stderr.write(`answers ${middleMs} ms, starved ${isStarved}\n`);
    if (!isStarved) {
      expect(innocent.continuity.gaps).toBe(0);
      // A twentieth of the buffer.
      expect(middleMs).toBeLessThan(50);
    }
  });
});
