import { setTimeout as sleep } from 'node:timers/promises';
import { ControlClient } from '../support/control-client.ts';
import { Random } from '../support/random.ts';
import type { SoakOptions } from './options.ts';

const desks = 4;
const maxActions = 20;
const maxPauseMs = 1000;
const streamChangeMs = 4000;
const addedStreams = 3;
/** Players that one announcement names. */
const maxAddressed = 50;
/** Ids of the players that may be given another stream: see native/crowd.hpp. */
const firstMover = 10_000_000;

function isMover({ id }: { readonly id: string }): boolean {
  return Number(id.slice('bench-'.length)) >= firstMover;
}

/**
 * Controllers that come and go, look at everything, and change volumes and streams.
 *
 * Failure: `stop` rejects with the first question that was not answered.
 */
export class Controllers {
  readonly counts = {
    sessions: 0,
    requests: 0,
    refused: 0,
    streamsAdded: 0,
    streamsRemoved: 0,
    announcements: 0,
  };
  readonly #port: number;
  #isOver = false;
  readonly #work: Promise<PromiseSettledResult<void>[]>;
  /** Names of the streams that were added and not removed yet. */
  readonly #added: string[] = [];

  /** Shape: something is announced each `announceMs`; 0: nothing is. */
  constructor(port: number, { seed, announceMs }: Pick<SoakOptions, 'seed' | 'announceMs'>) {
    this.#port = port;
    const work = Array.from({ length: desks }, (_, desk) => this.#sit(new Random(seed + desk)));
    work.push(this.#changeStreams(new Random(seed + desks)));
    if (announceMs > 0) work.push(this.#announce(new Random(seed + desks + 1), announceMs));
    this.#work = Promise.allSettled(work);
  }

  /** Everybody goes, and so do the streams that were added. */
  async stop(): Promise<void> {
    this.#isOver = true;
    for (const outcome of await this.#work) if (outcome.status === 'rejected') throw outcome.reason;
    await this.#withClient(new Random(0), async (client) => {
      while (this.#added.length > 0) await this.#removeStream(client);
    });
  }

  async #sit(random: Random): Promise<void> {
    while (!this.#isOver) {
      await this.#withClient(random, async (client) => {
        for (let left = 1 + random.below(maxActions); left > 0 && !this.#isOver; left -= 1) {
          await this.#act(client, random);
          await sleep(random.below(maxPauseMs));
        }
      });
    }
  }

  async #withClient(random: Random, work: (client: ControlClient) => Promise<void>): Promise<void> {
    const client = await ControlClient.connect(this.#port, { keeps: false });
    this.counts.sessions += 1;
    try {
      await work(client);
    } finally {
      if (random.below(2) === 0) client.end();
      else client.reset();
    }
  }

  async #ask(client: ControlClient, method: string, params?: object): Promise<unknown> {
    const answer = await client.ask(method, params);
    this.counts.requests += 1;
    // Who is meant may have gone meanwhile.
    if (answer.error) this.counts.refused += 1;
    return answer.result;
  }

  async #act(client: ControlClient, random: Random): Promise<void> {
    const server = await client.status();
    this.counts.requests += 1;
    if (server.groups.length === 0) return;
    const [member] = random.pick(server.groups).clients;
    if (member === undefined) return;
    // Whoever is muted gets no audio, which would look like a gap.
    const muted = isMover(member) && random.below(2) === 0;
    const volume = { percent: random.below(101), muted };
    await this.#ask(client, 'Client.SetVolume', { id: member.id, volume });
    const moving = server.groups.filter(
      ({ clients }) => clients.length > 0 && clients.every(isMover),
    );
    if (moving.length === 0) return;
    await this.#ask(client, 'Group.SetStream', {
      id: random.pick(moving).id,
      stream_id: random.pick(server.streams).id,
    });
  }

  async #changeStreams(random: Random): Promise<void> {
    let number = 0;
    while (!this.#isOver) {
      await this.#withClient(random, async (client) => {
        if (this.#added.length === addedStreams) await this.#removeStream(client);
        // All at once in the beginning, so that the level of everything is soon reached.
        while (this.#added.length < addedStreams) {
          number += 1;
          await this.#addStream(client, { number, codec: random.pick(['pcm', 'flac', 'opus']) });
        }
      });
      for (let leftMs = streamChangeMs; leftMs > 0 && !this.#isOver; leftMs -= 200)
        await sleep(200);
    }
  }

  /** To some of those whose audio is not judged; all others must not notice. */
  async #announce(random: Random, pauseMs: number): Promise<void> {
    await this.#withClient(random, async (client) => {
      while (!this.#isOver) {
        const { groups } = await client.status();
        const movers = groups.flatMap(({ clients }) => clients).filter(isMover);
        const some = movers.filter(() => random.below(2) === 0).slice(0, maxAddressed);
        const [first] = some;
        const whom = { clients: some.map(({ id }) => id) };
        const targets = first === undefined || random.below(3) === 0 ? { streams: ['feed'] } : whom;
        const chime = random.pick(['ding', 'dingdong', 'alert', 'tick']);
        const priority = random.pick(['low', 'normal', 'high']);
        const played = await this.#ask(client, 'Announce.Play', { chime, targets, priority });
        if (played !== undefined) this.counts.announcements += 1;
        for (let leftMs = pauseMs; leftMs > 0 && !this.#isOver; leftMs -= 200) await sleep(200);
      }
    });
  }

  async #addStream(
    client: ControlClient,
    { number, codec }: { readonly number: number; readonly codec: string },
  ): Promise<void> {
    const streamUri = `tone:///?name=added-${number}&codec=${codec}&sampleformat=48000:16:2`;
    const added = await this.#ask(client, 'Stream.AddStream', { streamUri });
    if (added === undefined) throw new Error(`the stream ${streamUri} could not be added`);
    this.#added.push((added as { readonly id: string }).id);
    this.counts.streamsAdded += 1;
  }

  async #removeStream(client: ControlClient): Promise<void> {
    const id = this.#added.shift();
    const removed = await this.#ask(client, 'Stream.RemoveStream', { id });
    if (removed === undefined) throw new Error(`the stream ${id} could not be removed`);
    this.counts.streamsRemoved += 1;
  }
}
