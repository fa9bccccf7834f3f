import type { Access } from '../../src/auth/access.ts';
import { openAccess } from '../../src/auth/access.ts';
import { ControlServer, type ControlServerOptions } from '../../src/control/control-server.ts';
import type { RpcAnswer, RpcCaller, RpcHandler } from '../../src/control/rpc.ts';
import { ControlEnds, type Controller, type ControlTransport } from './control-ends.ts';
import { LogLines } from './log-lines.ts';
import { RpcRig } from './rpc-rig.ts';
import { until } from './waiting.ts';

export interface ControlRigOptions
  extends Partial<Omit<ControlServerOptions, 'handler' | 'status' | 'logger'>> {
  /** What comes of a request; absent: the request itself. */
  readonly handle?: (text: string, caller: RpcCaller) => RpcAnswer;
  readonly log?: LogLines;
}

/** A control server on real ports of both kinds, and the controllers that come. */
export class ControlRig {
  readonly rig: RpcRig;
  readonly log: LogLines;
  readonly server: ControlServer;
  /** Whoever has asked, by what it asked first. */
  readonly callers = new Map<string, RpcCaller>();
  readonly #ends = new Map<ControlTransport, ControlEnds>();

  constructor(setup: ControlRigOptions = {}) {
    const { handle = (text) => text, log = new LogLines(), ...options } = setup;
    this.log = log;
    const access: Access = options.access ?? openAccess;
    this.rig = new RpcRig(access);
    const handler: RpcHandler = {
      handle: (text, caller) => {
        if (![...this.callers.values()].includes(caller)) this.callers.set(text, caller);
        return handle(text, caller);
      },
    };
    this.server = new ControlServer({
      settings: () => ({ loginTimeoutMs: 10_000 }),
      ...options,
      access,
      handler,
      status: this.rig.status,
      logger: this.log,
    });
  }

  /** A controller that is connected, but not necessarily accepted. */
  async connect(transport: ControlTransport = 'TCP'): Promise<Controller> {
    let ends = this.#ends.get(transport);
    if (!ends) {
      ends = await ControlEnds.open({ transport, onPeer: (peer) => this.server.accept(peer) });
      this.#ends.set(transport, ends);
    }
    return ends.connect();
  }

  /** A controller that is a session. */
  async join(transport: ControlTransport = 'TCP'): Promise<Controller> {
    const before = this.server.sessionCount;
    const controller = await this.connect(transport);
    await until(() => this.server.sessionCount > before, 'there is one more session');
    return controller;
  }

  async close(): Promise<void> {
    await this.server.close();
    for (const ends of this.#ends.values()) ends.close();
    await this.rig.close();
  }
}
