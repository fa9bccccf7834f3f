import type { Logger } from '../base/logger.ts';
import type { GroupRecord } from '../clients/client-record.ts';
import { playedStreamId, type Registry } from '../clients/registry.ts';
import type { ChangeListener } from '../streams/change.ts';
import type { StreamChannel } from '../streams/stream-channel.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';

interface GroupStreamsOptions {
  readonly registry: Pick<Registry, 'groups'>;
  readonly streams: Pick<StreamDirectory, 'channels' | 'default'>;
  readonly logger: Logger;
  readonly onChange: ChangeListener;
}

/**
 * Which stream each group plays: its own, or another one while its own is not there or disabled.
 *
 * The other one is the default stream of the moment in which it was needed; a group stays with it, so
 * that nothing but the return of its own stream interrupts it. Source: protocol reference, 5.1 and 5.6.
 * One whose own stream is mixed over another one plays that, and is given it back when its own goes.
 */
export class GroupStreams {
  readonly #options: GroupStreamsOptions;

  constructor(options: GroupStreamsOptions) {
    this.#options = options;
  }

  /** Finds what a group plays now; `undefined` while no stream can be played. */
  channelFor(group: GroupRecord): StreamChannel | undefined {
    const own = this.#playable(group.streamId);
    if (own) {
      if (group.fallbackId !== undefined) this.#move(group, () => (group.fallbackId = undefined));
      return this.#under(group) ?? own;
    }
    const under = this.#under(group);
    if (under) {
      this.#move(group, () => {
        group.streamId = under.id;
        group.underId = undefined;
      });
      return under;
    }
    const present = group.fallbackId === undefined ? undefined : this.#playable(group.fallbackId);
    if (present) return present;
    const channel = this.#options.streams.default;
    if (channel) this.#replace(group, channel.id);
    return channel;
  }

  /**
   * Finds anew what every group plays, those without connected clients too, so that controllers see
   * it. One that was never given a stream waits for its clients.
   */
  review(): void {
    for (const group of this.#options.registry.groups.values()) {
      if (group.streamId !== '') this.channelFor(group);
    }
  }

  /** What it goes on with under its own stream; when that goes, its own one is all that is left. */
  #under(group: GroupRecord): StreamChannel | undefined {
    const under = group.underId === undefined ? undefined : this.#playable(group.underId);
    if (!under) group.underId = undefined;
    return under;
  }

  #playable(id: string): StreamChannel | undefined {
    const channel = this.#options.streams.channels.get(id);
    return channel?.isPlayable ? channel : undefined;
  }

  #replace(group: GroupRecord, id: string): void {
    this.#move(group, () => {
      if (group.streamId === '') group.streamId = id;
      else group.fallbackId = id;
    });
  }

  #move(group: GroupRecord, change: () => void): void {
    const { logger, onChange } = this.#options;
    const from = playedStreamId(group);
    change();
    const to = playedStreamId(group);
    for (const { id, isConnected } of from ? group.clients : []) {
      if (isConnected) logger.info('client moved to another stream', { client: id, from, to });
    }
    onChange({ kind: 'group-stream', group });
  }
}
