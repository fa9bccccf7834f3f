import { setTimeout as sleep } from 'node:timers/promises';
import { Player } from './player.mjs';
import { addedStream, configuredNames, streamAddress } from './streams.mjs';

const limitMs = 20_000;
/** One that a reload takes away and brings back, and one that controllers add and remove. */
const configured = 'Pipe';
const added = addedStream(0);
const homes = [configured, added.name];

const idOf = (home) => `returner-${home}`;

/**
 * Players whose streams come and go, and that nothing else is done to: whenever its stream is there
 * again, the group of each plays it.
 */
export class Returners {
  #players;
  #world;

  /** Shape: `options` are those of every player. */
  static async start(options, world) {
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

  constructor(players, world) {
    this.#players = players;
    this.#world = world;
  }

  get count() {
    return this.#players.length;
  }

  get ids() {
    return this.#players.map(({ id }) => id);
  }

  /** With the first configuration in force; says what is not as it should be. */
  async strayed() {
    const faults = [];
    const expect = async (home, isRight, what) => {
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

  leave() {
    for (const player of this.#players) player.close();
  }

  async #settle() {
    await this.#add();
    for (const home of homes) {
      await this.#until(home, (stream) => stream !== undefined);
      const { id } = await this.#groupOf(home);
      await this.#world.controller.ask('Group.SetStream', { id, stream_id: home });
    }
    await this.#remove();
  }

  #add() {
    const streamUri = streamAddress(added, this.#world.places);
    return this.#world.controller.ask('Stream.AddStream', { streamUri });
  }

  #remove() {
    return this.#world.controller.ask('Stream.RemoveStream', { id: added.name });
  }

  async #groupOf(home) {
    const { result } = await this.#world.controller.ask('Server.GetStatus');
    const id = idOf(home);
    return result.server.groups.find(({ clients }) => clients.some((client) => client.id === id));
  }

  /** The stream of a group as soon as it is right, or what it is after all. */
  async #until(home, isRight) {
    const deadlineMs = performance.now() + limitMs;
    for (;;) {
      const stream = (await this.#groupOf(home))?.stream_id;
      if (isRight(stream) || performance.now() > deadlineMs) return stream;
      await sleep(100);
    }
  }
}
