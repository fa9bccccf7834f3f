import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ControlClient } from './control-client.ts';
import { type Frame, RawWebSocket } from './raw-web-socket.ts';
import { makeScratchFolder, removeScratchFolder } from './scratch-folder.ts';
import { ScriptedClient } from './scripted-client.ts';
import { TestServer } from './test-server.ts';
import { until } from './waiting.ts';

/** A server, and the programs that talk to it; all of them go when the test is over. */
export class ProgramStage {
  readonly server: TestServer;
  readonly folder: string;
  readonly #connections: { close(): void }[] = [];
  #setUp: ControlClient | undefined;

  /** Settings as on the command line; `FOLDER` stands for a folder of the test's own. */
  static async open(...settings: readonly string[]): Promise<ProgramStage> {
    const folder = makeScratchFolder();
    mkdirSync(join(folder, 'plug-ins'));
    const given = [`stream.plugin_dir=${join(folder, 'plug-ins')}`, ...settings];
    const server = await TestServer.start(
      ...given.map((setting) => setting.replaceAll('FOLDER', folder)),
    );
    return new ProgramStage(server, folder);
  }

  private constructor(server: TestServer, folder: string) {
    this.server = server;
    this.folder = folder;
  }

  /** Writes a control script where controllers may name it; returns its path. */
  plugin(name: string, text: string): string {
    const path = join(this.folder, 'plug-ins', name);
    writeFileSync(path, text, { mode: 0o755 });
    return path;
  }

  async player(): Promise<ScriptedClient> {
    return this.#keep(await ScriptedClient.connect(this.server.port));
  }

  /** Players that have just said Hello: controllers may not have been told of them yet. */
  async greeted(...ids: readonly string[]): Promise<ScriptedClient[]> {
    const players: ScriptedClient[] = [];
    for (const id of ids) {
      const player = this.#keep(await ScriptedClient.greet(this.server.port, id));
      await player.until(() => player.received.length > 0, `${id} is greeted`);
      players.push(player);
    }
    return players;
  }

  /** Players that every controller knows. */
  async joined(...ids: readonly string[]): Promise<ScriptedClient[]> {
    const witness = await this.controller();
    const players = await this.greeted(...ids);
    await until(
      () => {
        const { params } = witness.inbox.notifications('Server.OnUpdate').at(-1) ?? {};
        return ids.every((id) => JSON.stringify(params)?.includes(`"id":"${id}"`));
      },
      `controllers know ${ids.join(', ')}`,
    );
    return players;
  }

  /** A controller that the server tells from now on what changes. */
  async controller(): Promise<ControlClient> {
    const { control } = this.server.application;
    const before = control.sessionCount;
    const controller = this.#keep(await ControlClient.connect(this.server.controlPort));
    await until(() => control.sessionCount > before, 'the server knows the controller');
    return controller;
  }

  async webSocket(request: string, onFrame?: (frame: Frame) => void): Promise<RawWebSocket> {
    return this.#keep(await RawWebSocket.open(this.server.httpPort, request, onFrame));
  }

  /** A request of yet another controller, for what the program in question does not do itself. */
  async ask(method: string, params: object = {}): Promise<unknown> {
    this.#setUp ??= await this.controller();
    return this.#setUp.request(method, params);
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.close();
    await this.server.stop();
    removeScratchFolder(this.folder);
  }

  #keep<Connection extends { close(): void }>(connection: Connection): Connection {
    this.#connections.push(connection);
    return connection;
  }
}
