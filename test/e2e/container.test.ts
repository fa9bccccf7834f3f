import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { BareRoot } from '../support/bare-root.ts';
import {
  type Copy,
  commandOf,
  copiesOf,
  readContainerfile,
  type Stage,
  textsOf,
} from '../support/containerfile.ts';
import { OutputLog } from '../support/output-log.ts';
import { isRoot, makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { freePort } from '../support/server-process.ts';

// Follows the Containerfile without a container engine: its commands run here, its last stage in
// a root folder that holds Node and nothing else. What is not seen: the base image itself.

const root = fileURLToPath(new URL('../..', import.meta.url));
const [builder, server] = readContainerfile(join(root, 'config/Containerfile')) as [Stage, Stage];
/** Compiling takes this long on a busy machine. */
const setupTimeoutMs = 600_000;
/** The user "node" of the image. */
const nodeUser = 1000;

describe('the Containerfile', () => {
  it('copies only what the sources hold', () => {
    const sources = [builder, server]
      .flatMap(copiesOf)
      .filter(({ from }) => from === undefined)
      .flatMap((copy) => copy.sources);
    expect(sources.filter((source) => !existsSync(join(root, source)))).toEqual([]);
    expect(sources).toContain('src');
  });

  it('names the ports on which the server listens by default', () => {
    const config = readFileSync(join(root, 'config/zerocast.conf'), 'utf8');
    const ports = textsOf(server, 'EXPOSE').join(' ').split(' ');
    for (const port of ports) expect(config).toMatch(new RegExp(`^#port = ${port}$`, 'm'));
    expect(ports).toHaveLength(3);
  });

  it('leaves compilers to the stage that builds', () => {
    expect(textsOf(server, 'RUN')).toEqual([
      expect.stringMatching(/ apt-get install -y --no-install-recommends libflac12\b(?! +[a-z])/),
    ]);
    expect(textsOf(server, 'USER')).toEqual(['node']);
  });
});

// Files are handed to another user below, which only root can do.
describe.runIf(isRoot || process.env.CI === 'true')(
  'the image that the Containerfile makes',
  () => {
    let scratch: string;
    let bare: BareRoot;

    beforeAll(() => {
      scratch = makeScratchFolder();
      build();
      bare = new BareRoot();
      for (const copy of copiesOf(server)) place(copy);
    }, setupTimeoutMs);

    afterAll(() => {
      bare?.remove();
      removeScratchFolder(scratch);
    });

    /** The stage that builds; compilers and packages are those of this machine. */
    function build(): void {
      const home = join(scratch, 'build');
      mkdirSync(home);
      for (const { sources, target } of copiesOf(builder))
        copyAll(sources, { from: root, to: resolve(home, target) });
      cpSync(join(root, 'node_modules'), join(home, 'node_modules'), {
        recursive: true,
        verbatimSymlinks: true,
      });
      const commands = textsOf(builder, 'RUN').filter((text) => !/apt-get|npm install/.test(text));
      for (const command of commands) {
        if (command.includes('prebuild-addon') && takeOwnBuild(home)) continue;
        const here = command.replaceAll(/ \/(state|pipes)\b/g, ` ${scratch}/$1`);
        const { status, stderr } = spawnSync('sh', ['-ec', here], { cwd: home, encoding: 'utf8' });
        expect(status, `${command}\n${stderr}`).toBe(0);
      }
    }

    /** The addon of this tree, when it is there, saves a compilation that the release test makes. */
    function takeOwnBuild(home: string): boolean {
      const own = join(root, 'build/Release/zerocast.node');
      if (!existsSync(own)) return false;
      cpSync(own, join(home, `dist/prebuilt/linux-${process.arch}/zerocast.node`));
      return true;
    }

    function place({ from, owner, sources, target }: Copy): void {
      const inside = bare.at(resolve('/opt/zerocast', target));
      copyAll(sources, { from: from ? scratch : root, to: inside });
      if (owner) chownSync(inside, nodeUser, nodeUser);
    }

    /** Several files go into a folder; a single one becomes the target. */
    function copyAll(sources: readonly string[], { from, to }: { from: string; to: string }): void {
      for (const source of sources) {
        const target = sources.length > 1 ? join(to, basename(source)) : to;
        cpSync(join(from, source), target, { recursive: true, verbatimSymlinks: true });
      }
    }

    it('serves as process 1 without being root, is found healthy, and stops by its signal', async () => {
      const httpPort = await freePort();
      const streamPort = await freePort();
      const environment = {
        ...Object.fromEntries(textsOf(server, 'ENV').map((text) => text.split('='))),
        ZEROCAST_HTTP_PORT: String(httpPort),
        ZEROCAST_TCP_STREAMING_PORT: String(streamPort),
        ZEROCAST_TCP_CONTROL_PORT: String(await freePort()),
        ZEROCAST_SERVER_MDNS_ENABLED: 'false',
        ZEROCAST_STREAM_SOURCE: 'tone:///?name=Tone',
      };
      const inside = { cwd: '/opt/zerocast', user: nodeUser, environment };
      const command = [...commandOf(server, 'ENTRYPOINT'), ...commandOf(server, 'CMD')];
      const child = bare.start(`exec ${command.join(' ')}`, { ...inside, isFirst: true });
      onTestFinished(() => void child.kill('SIGKILL'));
      const ended = once(child, 'close');
      const log = new OutputLog('the server of the image', child);
      await log.waitFor(/listening for clients/, 60_000);
      expect(log.text).not.toContain('no native addon');
      expect(healthOf(inside)).toBe(0);
      const probe = `node dist/main.js probe 127.0.0.1:${streamPort} --seconds 3`;
      const { stdout, stderr } = bare.run(probe, inside);
      expect(stdout, `${stderr}\n${log.text}`).toContain('flac 48000:16:2');

      process.kill(onlyChildOf(child.pid!), 'SIGTERM');
      expect(await ended, log.text).toEqual([0, null]);
      expect(existsSync(bare.at('/var/lib/zerocast/server.json'))).toBe(true);
      expect(healthOf(inside)).toBe(1);
    });

    function healthOf(inside: Parameters<BareRoot['run']>[1]): number | null {
      const [program, ...args] = commandOf(server, 'HEALTHCHECK');
      const words = args.map((arg) => `'${arg.replaceAll("'", "'\\''")}'`);
      return bare.run(`${program} ${words.join(' ')}`, inside).status;
    }
  },
);

/** `unshare` stays as the parent of the first process of a process namespace. */
function onlyChildOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}
