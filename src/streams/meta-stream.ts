import type { MetaFeed } from '../audio/meta-feed.ts';
import { allOthers, type MetaOptions, maxMetaChildren, metaCircle } from '../audio/meta-options.ts';
import { noProperties, type StreamProperties } from '../audio/stream-properties.ts';
import { SourceError } from '../base/errors.ts';
import type { StreamChannel, StreamChildren } from './stream-channel.ts';

type Channels = ReadonlyMap<string, StreamChannel>;

interface MetaStreamOptions {
  readonly name: string;
  readonly meta: MetaOptions;
  readonly feed: MetaFeed;
  /** Children may come later. */
  readonly mayWait: boolean;
  /** What controllers are to see is that of another child, or other than before. */
  readonly onProperties: (properties: StreamProperties) => void;
  readonly warn: (reason: string) => void;
}

/** A stream made of others: finds them by their names, and leads commands to the one that is heard. */
export class MetaStream implements StreamChildren {
  readonly #options: MetaStreamOptions;
  #children: readonly StreamChannel[] = [];
  #leftOutCount = 0;

  constructor(options: MetaStreamOptions) {
    this.#options = options;
  }

  get names(): readonly string[] {
    return this.#options.meta.names;
  }

  check(channels: Channels): void {
    const { name, meta, mayWait } = this.#options;
    const namesOf = (child: string) =>
      child === name ? meta.names : channels.get(child)?.children?.names;
    const circle = metaCircle(name, namesOf);
    if (circle) {
      throw new SourceError(
        'meta-circle',
        `Meta stream '${name}' would contain itself: ${circle.join(' → ')}`,
      );
    }
    if (meta.missing === undefined ? mayWait : meta.missing === 'wait') return;
    const [missing] = this.missing(channels);
    if (missing !== undefined) {
      throw new SourceError('unknown-stream', `Unknown stream: "${missing}"`);
    }
  }

  link(channels: Channels): void {
    const { name, feed } = this.#options;
    const found = childrenOf(this.#options, channels);
    const children = found.slice(0, maxMetaChildren);
    this.#noteLeftOut(found.length - children.length);
    const isSame =
      children.length === this.#children.length &&
      children.every((channel, index) => channel === this.#children[index]);
    if (isSame || !channels.has(name)) return;
    this.#children = children;
    feed.setChildren(children.map(({ stream }) => stream));
    this.showProperties();
  }

  missing(channels: Channels): readonly string[] {
    return this.names.filter((name) => name !== allOthers && !channels.has(name));
  }

  propertiesChanged(channel: StreamChannel): void {
    if (channel === this.#active) this.showProperties();
  }

  showProperties(): void {
    this.#options.onProperties(this.#active?.properties ?? noProperties);
  }

  targetOf(command?: string): StreamChannel | undefined {
    const active = this.#active;
    const isIdle = active?.stream.state !== 'playing';
    const isToPlay = command === 'play' || (command === 'playPause' && isIdle);
    if (!isToPlay || (isIdle && active?.properties.canPlay)) return active;
    const canStart = ({ stream, properties }: StreamChannel) =>
      stream.state === 'idle' && properties.canPlay;
    return this.#children.find(canStart) ?? active;
  }

  /** More than named ones can only come by `*`. */
  #noteLeftOut(count: number): void {
    if (count > this.#leftOutCount) {
      this.#options.warn(`it is made of ${maxMetaChildren} streams at most, ${count} are left out`);
    }
    this.#leftOutCount = count;
  }

  get #active(): StreamChannel | undefined {
    const { active } = this.#options.feed;
    return this.#children.find(({ stream }) => stream === active);
  }
}

/** Each once, at its first place. */
function childrenOf(
  { name: own, meta }: Pick<MetaStreamOptions, 'name' | 'meta'>,
  channels: Channels,
): readonly StreamChannel[] {
  const { names } = meta;
  const others = [...channels.values()].filter(
    ({ id, stream, children }) =>
      id !== own && !children && !stream.options.isAnnouncer && !names.includes(id),
  );
  return names.flatMap((name) => (name === allOthers ? others : (channels.get(name) ?? [])));
}
