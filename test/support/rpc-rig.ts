import { rmSync } from 'node:fs';
import { expect } from 'vitest';
import { ChunkPool } from '../../src/audio/chunk-pool.ts';
import type { StreamProperties } from '../../src/audio/stream-properties.ts';
import { type Access, openAccess } from '../../src/auth/access.ts';
import type { ClientRecord, GroupState } from '../../src/clients/client-record.ts';
import type { Registry } from '../../src/clients/registry.ts';
import { SceneList } from '../../src/clients/scene-list.ts';
import type { RpcCaller } from '../../src/control/rpc.ts';
import { RpcDispatcher } from '../../src/control/rpc-dispatcher.ts';
import { StatusTree } from '../../src/control/status-tree.ts';
import type { GroupControl } from '../../src/players/group-control.ts';
import type { PlayerServer } from '../../src/players/player-server.ts';
import type { Change, Requester } from '../../src/streams/change.ts';
import type { ControlScript } from '../../src/streams/control-script.ts';
import type { StreamDirectory } from '../../src/streams/stream-directory.ts';
import { NodeFanOut } from '../../src/transport/node-fan-out.ts';
import { LogLines } from './log-lines.ts';
import { streamDefaults } from './reader-rig.ts';
import { savedClient, savedGroup } from './saved-groups.ts';
import { makeScratchFolder } from './scratch-folder.ts';
import { helloOf } from './scripted-client.ts';
import { serverParts } from './server-parts.ts';

/** A control script that notes what it is asked, and answers as the test says. */
class NotingScript implements ControlScript {
  /** The streams that it speaks for. */
  readonly receivers: ((properties: StreamProperties) => void)[] = [];
  readonly asked: unknown[] = [];
  /** What comes of the next request. */
  answer: () => Promise<void> = async () => undefined;

  control(command: string, params?: Readonly<Record<string, number>>): Promise<void> {
    this.asked.push(params ? [command, params] : [command]);
    return this.answer();
  }

  setProperty(name: string, value: boolean | number | string): Promise<void> {
    this.asked.push([name, value]);
    return this.answer();
  }

  tell(properties: StreamProperties): void {
    for (const receive of this.receivers) receive(properties);
  }

  async stop(): Promise<void> {}
}

export interface NotedChange {
  readonly change: Change;
  readonly by: Requester | undefined;
}

/** All that controllers work on: real clients, groups and streams, without sockets. */
export class RpcRig {
  readonly folder = makeScratchFolder();
  readonly pool = new ChunkPool({ verifySeals: true });
  readonly log = new LogLines();
  readonly changes: NotedChange[] = [];
  readonly script = new NotingScript();
  readonly registry: Registry;
  readonly streams: StreamDirectory;
  readonly groups: GroupControl;
  readonly status: StatusTree;
  readonly caller: RpcCaller = { login: undefined, remoteAddress: '10.0.0.9' };
  /** Time of the registry's clock, Unix milliseconds. */
  nowMs = 1_795_172_274_691;
  readonly #server: PlayerServer;
  readonly #dispatcher: RpcDispatcher;

  constructor(access: Access = openAccess) {
    const { folder, log: logger, pool } = this;
    const parts = serverParts({
      pool,
      logger,
      fanOut: new NodeFanOut(pool),
      access,
      onChange: (change, by) => this.#onChange(change, by),
      registry: { nowMs: () => this.nowMs },
      factory: {
        settings: () => ({
          defaults: { ...streamDefaults, codec: 'flac:2' },
          pluginDir: folder,
          sandboxDir: folder,
        }),
        startControlScript: ({ onProperties }) => {
          this.script.receivers.push(onProperties);
          return this.script;
        },
      },
    });
    const { registry, streams, groups } = parts;
    this.registry = registry;
    this.streams = streams;
    this.groups = groups;
    this.#server = parts.server;
    const host = { arch: 'x86_64', name: 'vm', os: 'Debian GNU/Linux 12 (bookworm)' };
    const status = new StatusTree({ registry, streams, host });
    this.status = status;
    this.#dispatcher = new RpcDispatcher({
      access,
      groups,
      streams,
      registry,
      scenes: new SceneList(() => undefined),
      status,
      logger,
      announcements: () => expect.unreachable(),
      clips: () => expect.unreachable(),
    });
  }

  /** Adds a stream as the configuration does; `FOLDER` stands for the folder of this rig. */
  async stream(address: string): Promise<void> {
    await this.streams.addConfigured(address.replace('FOLDER', this.folder));
  }

  /** A client that is connected, in a group of the first stream. */
  join(id: string, hello: Parameters<typeof helloOf>[1] = {}): ClientRecord {
    const { client } = this.registry.join(id, { hello: helloOf(id, hello), address: '127.0.0.1' });
    if (client.group.streamId === '') client.group.streamId = this.streams.default?.id ?? '';
    return client;
  }

  restore({ id, streamId }: Pick<GroupState, 'id' | 'streamId'>, clientId: string): void {
    const client = savedClient(clientId, { address: '', lastSeenMs: 0 });
    this.registry.restore([savedGroup(id, [client], { streamId })]);
  }

  /** The answer to one text. */
  async ask(text: string): Promise<string | undefined> {
    return this.#dispatcher.handle(text, this.caller);
  }

  /** The answer to one request: its result, or its error. */
  async call(method: string, params?: unknown): Promise<unknown> {
    const text = await this.ask(JSON.stringify({ id: 1, jsonrpc: '2.0', method, params }));
    const { result, error } = JSON.parse(String(text));
    return error ?? result;
  }

  /** Ends everything: fails unless every chunk has come home. */
  async close(): Promise<void> {
    await this.#server.close();
    await this.streams.close();
    rmSync(this.folder, { recursive: true });
    expect(this.pool.isFull, 'the pool is full').toBe(true);
    this.pool.close();
  }

  #onChange(change: Change, by: Requester | undefined): void {
    this.status.invalidate(change);
    this.changes.push({ change, by });
  }
}
