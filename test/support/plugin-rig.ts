import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { noProperties, type StreamProperties } from '../../src/audio/stream-properties.ts';
import { monotonicClock } from '../../src/base/clock.ts';
import { ImageStore } from '../../src/streams/image-store.ts';
import { StreamPlugin, type StreamPluginOptions } from '../../src/streams/plugin/stream-plugin.ts';
import { LogLines } from './log-lines.ts';

export const streamId = 'Living Room "1"';

export interface RigOptions extends Partial<Omit<StreamPluginOptions, 'request'>> {
  readonly params?: string;
}

/** The path of a control script beside this file. */
export function pluginScript(name: string): string {
  return fileURLToPath(new URL(`plugins/${name}`, import.meta.url));
}

/** A running control script, and what it caused. */
export class PluginRig {
  readonly log = new LogLines();
  readonly images = new ImageStore();
  /** The properties as a channel takes them: the same again does not count. */
  readonly announced: StreamProperties[] = [];
  readonly plugin: StreamPlugin;

  constructor(script: string, { params = '', ...options }: RigOptions = {}) {
    const onProperties = (properties: StreamProperties) => {
      if (!isDeepStrictEqual(properties, this.properties)) this.announced.push(properties);
    };
    this.plugin = StreamPlugin.start({
      request: { streamId, script, params, onProperties },
      imagePrefix: () => 'http://host:1780',
      images: this.images,
      logger: this.log,
      clock: monotonicClock,
      ...options,
    });
  }

  get properties(): StreamProperties {
    return this.announced.at(-1) ?? noProperties;
  }

  /** Makes `player.mjs` send a notification; what it caused has happened when this resolves. */
  async notify(method: string, params: unknown): Promise<void> {
    const text = JSON.stringify({ jsonrpc: '2.0', method, params });
    await this.plugin.setProperty('write', `${text}\n`);
  }

  async sendProperties(properties: unknown): Promise<void> {
    await this.notify('Plugin.Stream.Player.Properties', properties);
  }
}
