import { join } from 'node:path';
import { encodeHello, encodeTimeRequest } from '../../src/protocol/messages.ts';
import { BadNetwork } from './bad-network.ts';
import { makeFifoAt, scratchFolder } from './fifo.ts';
import { LiveProducer } from './live-producer.ts';
import { type FarPeer, NetworkNamespace } from './network-namespace.ts';
import { helloOf } from './scripted-client.ts';
import { TestServer } from './test-server.ts';
import { until } from './waiting.ts';

/**
 * A house in which things can be made to go wrong: `weak` plays behind a bad cable, `stuck` on a
 * machine whose programs can be stopped, `fed` plays what a live producer gives, and `well` is well.
 */
export class SyncScene {
  readonly server: TestServer;
  readonly producer: LiveProducer;
  readonly weakNetwork: BadNetwork;
  readonly stuckMachine: NetworkNamespace;
  readonly #goodMachine: NetworkNamespace;
  readonly #folder: ReturnType<typeof scratchFolder>;

  static async open(...settings: readonly string[]): Promise<SyncScene> {
    const folder = scratchFolder();
    const fifo = join(folder.path, 'fifo');
    makeFifoAt(fifo);
    const weak = await BadNetwork.open();
    const machines = [weak, new NetworkNamespace(), new NetworkNamespace()] as const;
    const server = await TestServer.start(
      'stream.source=tone:///?name=Radio&codec=pcm',
      `stream.source=pipe://${fifo}?name=Live&codec=pcm&mode=read`,
      ...machines.map(({ here }) => `tcp-streaming.bind_to_address=${here}`),
      ...settings,
    );
    const producer = await LiveProducer.intoFifo(fifo);
    const scene = new SyncScene(server, producer, machines, folder);
    await scene.#begin();
    return scene;
  }

  private constructor(
    server: TestServer,
    producer: LiveProducer,
    [weak, stuck, good]: readonly [BadNetwork, NetworkNamespace, NetworkNamespace],
    folder: ReturnType<typeof scratchFolder>,
  ) {
    this.server = server;
    this.producer = producer;
    this.weakNetwork = weak;
    this.stuckMachine = stuck;
    this.#goodMachine = good;
    this.#folder = folder;
  }

  async close(): Promise<void> {
    this.stuckMachine.freeze(false);
    this.producer.stop();
    await this.server.stop();
    for (const machine of [this.weakNetwork, this.stuckMachine, this.#goodMachine]) {
      await machine.close();
    }
    this.#folder.remove();
  }

  async #begin(): Promise<void> {
    const { registry } = this.server.application;
    await this.weakNetwork.connect([this.#player('weak')]);
    await this.stuckMachine.connect([this.#player('stuck')]);
    await this.#goodMachine.connect([this.#player('well'), this.#player('fed')]);
    const clients = () => [...registry.clients.values()];
    await until(() => clients().filter(({ isConnected }) => isConnected).length === 4);
    const group = registry.clients.get('fed')!.group.id;
    await this.server.application.request('Group.SetStream', { id: group, stream_id: 'Live' });
  }

  #player(name: string): FarPeer {
    const say = encodeHello(helloOf(name, { hostName: name }), 2);
    return { name, port: this.server.port, say, ask: encodeTimeRequest(9) };
  }
}
