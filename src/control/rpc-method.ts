import type { AnnouncementDesk } from '../announcements/announcement-desk.ts';
import type { Access } from '../auth/access.ts';
import type { Logger } from '../base/logger.ts';
import type { LogLimiter } from '../base/time/log-limiter.ts';
import type { Registry } from '../clients/registry.ts';
import type { SceneList } from '../clients/scene-list.ts';
import type { ClipParts } from '../clips/open-clips.ts';
import type { GroupControl } from '../players/group-control.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import type { RpcCaller } from './rpc.ts';
import type { RpcParams } from './rpc-params.ts';
import type { StatusTree } from './status-tree.ts';

/** What the methods work on. */
export interface RpcTargets {
  readonly access: Access;
  readonly groups: GroupControl;
  readonly streams: StreamDirectory;
  readonly registry: Registry;
  readonly scenes: SceneList;
  readonly status: StatusTree;
  /** Loaded when it is first asked for. */
  readonly announcements: () => Promise<AnnouncementDesk>;
  /** Loaded when it is first asked for. */
  readonly clips: () => Promise<ClipParts>;
  /** Reads the configuration again. Failure: rejects with a `ConfigError`. */
  readonly reload?: () => Promise<{
    readonly changed: readonly object[];
    readonly streams: object;
    readonly warnings: readonly string[];
  }>;
}

export interface RpcContext extends RpcTargets {
  /** Of the lines about refused logins. */
  readonly refusalLog: LogLimiter;
  /** All methods, by name. */
  readonly methods: ReadonlyMap<string, RpcMethod>;
  readonly logger: Logger;
}

/** Shape: an object, or a word; it may hold `JsonText`. */
export type RpcResult = Readonly<Record<string, unknown>> | string;

export interface RpcParameter {
  readonly parameter: string;
  readonly type: string;
  readonly description: string;
}

/** One method, and all there is to say about it. Source: protocol reference, 9.5. */
export interface RpcMethod {
  readonly name: string;
  readonly description: string;
  readonly parameters: readonly RpcParameter[];
  /** Type and meaning of the result. */
  readonly returns: readonly [type: string, meaning: string];
  /** What the caller must have shown before; `permission` includes the login. */
  readonly needs: 'nothing' | 'login' | 'permission';
  /** Failure: throws, or rejects with, an `RpcError`, or a `SourceError` whose text is shown. */
  call(params: RpcParams, caller: RpcCaller, context: RpcContext): RpcResult | Promise<RpcResult>;
}
