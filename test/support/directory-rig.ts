import { tmpdir } from 'node:os';
import { ChunkPool } from '../../src/audio/chunk-pool.ts';
import { monotonicClock } from '../../src/base/clock.ts';
import type { AddedStreams } from '../../src/streams/added-streams.ts';
import type { Change, Requester } from '../../src/streams/change.ts';
import type { ControlScript, ControlScriptRequest } from '../../src/streams/control-script.ts';
import { SourceFolders } from '../../src/streams/source-folders.ts';
import { StreamDirectory } from '../../src/streams/stream-directory.ts';
import { StreamFactory } from '../../src/streams/stream-factory.ts';
import { NodeFanOut } from '../../src/transport/node-fan-out.ts';
import { LogLines } from './log-lines.ts';
import { streamDefaults } from './reader-rig.ts';

export const maxStreams = 256;

export interface DirectoryRigOptions {
  readonly pluginDir?: string;
  readonly sandboxDir?: string;
  readonly sourceDirs?: readonly string[];
  readonly persist?: AddedStreams;
  readonly maxStreams?: number;
  readonly maxAddedSamples?: number;
}

/** What was announced, in words, and who had asked for it. */
export interface Announcement {
  readonly text: string;
  readonly by: Requester | undefined;
}

/** A control script that does nothing but end when it is told to. */
export class IdleScript implements ControlScript {
  readonly request: ControlScriptRequest;
  isStopped = false;
  /** Resolves the end: at once unless a test replaces it. */
  end: Promise<void> = Promise.resolve();

  constructor(request: ControlScriptRequest) {
    this.request = request;
  }

  async control(): Promise<void> {}

  async setProperty(): Promise<void> {}

  async stop(): Promise<void> {
    await this.end;
    this.isStopped = true;
  }
}

/** Streams as the server has them, without the server. */
export class DirectoryRig {
  readonly pool = new ChunkPool({ verifySeals: true });
  readonly log = new LogLines();
  readonly scripts: IdleScript[] = [];
  readonly announcements: Announcement[] = [];
  readonly directory: StreamDirectory;
  /** Called for each change: a place to do harm. */
  onChange: (change: Change) => void = () => undefined;

  constructor(options: DirectoryRigOptions = {}) {
    const { pluginDir = '/does/not/exist', sandboxDir = '/does/not/exist', persist } = options;
    const factory = new StreamFactory({
      pool: this.pool,
      clock: monotonicClock,
      logger: this.log,
      fanOut: new NodeFanOut(this.pool),
      settings: () => ({ defaults: streamDefaults, pluginDir, sandboxDir }),
      broadcast: () => ({
        bufferMs: 1000,
        sendIntervalMs: 'auto',
        instantStart: true,
        burstBytes: 4 * 1024 * 1024,
      }),
      fileGate: new SourceFolders(() => ({ folders: options.sourceDirs ?? [tmpdir()], own: [] })),
      startControlScript: (request) => {
        const script = new IdleScript(request);
        this.scripts.push(script);
        return script;
      },
      onState: (channel) => this.directory.stateChanged(channel),
      onProperties: (channel) => this.directory.propertiesChanged(channel),
    });
    this.directory = new StreamDirectory({
      factory,
      logger: this.log,
      onChange: (change, by) => this.#keep(change, by),
      persist,
      settings: () => ({
        maxStreams: options.maxStreams ?? maxStreams,
        maxAddedSamplesEach: 1_536_000,
        maxAddedSamples: options.maxAddedSamples ?? 24_576_000,
      }),
    });
  }

  get names(): string[] {
    return [...this.directory.channels.keys()];
  }

  get told(): string[] {
    return this.announcements.map(({ text }) => text);
  }

  #keep(change: Change, by: Requester | undefined): void {
    const id = 'channel' in change ? ` ${change.channel.id}` : '';
    this.announcements.push({ text: `${change.kind}${id}`, by });
    this.onChange(change);
  }
}
