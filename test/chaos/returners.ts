import { setTimeout as sleep } from 'node:timers/promises';
import type { GroupStatus } from '../support/server-status.ts';
import { Player } from './player.ts';
import type { LastingPlayerOptions } from './steady-players.ts';
import { addedStream, configuredNames, streamAddress } from './streams.ts';
import type { World } from './world.ts';

const limitMs = 20_000;
/** One that a reload takes away and brings back, and one that controllers add and remove. */
const configured = 'Pipe';
const added = addedStream(0);
const homes = [configured, added.name];

const idOf = (home: string) => `returner-${home}`;

/**
 * Players whose streams come and go, and that nothing else is done to: whenever its stream is there
 * again, the group of each plays it.
 */
export class Returners {
  readonly #players: readonly Player[];
  readonly #world: World;

  static async start(options: LastingPlayerOptions, world: World): Promise<Returners> {
    const players = homes.map((home) => {
      const id = idOf(home);
      const onClosed = () => {
        if (!options.isLeaving()) options.onProblem(`player ${id}: its connection was closed`);
      };
      return new Player({ ...options, id, isStrict: false, onClosed });
    });
    const returners = new Returners(players, world);
    await returners.#settle();
    return returners;
  }

  private constructor(players: readonly Player[], world: World) {
    this.#players = players;
    this.#world = world;
  }

  get count(): number {
    return this.#players.length;
  }

  get ids(): readonly string[] {
    return this.#players.map(({ id }) => id);
  }

  /** With the first configuration in force; says what is not as it should be. */
  async strayed(): Promise<string[]> {
    const faults: string[] = [];
    const expect = async (home: string, isRight: (stream: string) => boolean, what: string) => {
      const stream = await this.#until(home, isRight);
      if (!isRight(stream)) faults.push(`${idOf(home)} plays ${stream} although ${what}`);
    };
    await expect(configured, (stream) => stream === configured, `${configured} is there`);
    await expect(added.name, (stream) => configuredNames.includes(stream), 'its own is not there');
    await this.#add();
    await expect(added.name, (stream) => stream === added.name, `${added.name} is there again`);
    await this.#remove();
    await expect(added.name, (stream) => configuredNames.includes(stream), 'its own is not there');
    return faults;
  }

  leave(): void {
    for (const player of this.#players) player.close();
  }

  async #settle(): Promise<void> {
    await this.#add();
    for (const home of homes) {
      await this.#until(home, (stream) => stream !== '');
      const id = (await this.#groupOf(home))?.id;
      await this.#world.controller.ask('Group.SetStream', { id, stream_id: home });
    }
    await this.#remove();
  }

  #add(): Promise<unknown> {
    const streamUri = streamAddress(added, this.#world.places);
    return this.#world.controller.ask('Stream.AddStream', { streamUri });
  }

  #remove(): Promise<unknown> {
    return this.#world.controller.ask('Stream.RemoveStream', { id: added.name });
  }

  async #groupOf(home: string): Promise<GroupStatus | undefined> {
    const { groups } = await this.#world.controller.status();
    return groups.find(({ clients }) => clients.some(({ id }) => id === idOf(home)));
  }

  /** The stream of a group as soon as it is right, or what it is after all; none is ''. */
  async #until(home: string, isRight: (stream: string) => boolean): Promise<string> {
    const deadlineMs = performance.now() + limitMs;
    for (;;) {
      const stream = (await this.#groupOf(home))?.stream_id ?? '';
      if (isRight(stream) || performance.now() > deadlineMs) return stream;
      await sleep(100);
    }
  }
}
