import { ProgramLog } from '../../audio/sources/program-log.ts';
import { noProperties, type StreamProperties } from '../../audio/stream-properties.ts';
import type { ChildPlaces } from '../../base/children/child-places.ts';
import type { Clock } from '../../base/clock.ts';
import { messageOf, RpcError } from '../../base/errors.ts';
import { isObject, type JsonObject } from '../../base/files/json-fields.ts';
import { parseJson } from '../../base/foreign-text.ts';
import type { Logger } from '../../base/logger.ts';
import type { ControlScript, ControlScriptRequest } from '../control-script.ts';
import { type ImageStore, imageAddress } from '../image-store.ts';
import { cut, severityNamed } from './plugin-log.ts';
import { type CoverArt, parseProperties } from './plugin-properties.ts';
import { PluginRequests } from './plugin-requests.ts';
import { PluginRunner, pluginArguments, type RestartTiming } from './plugin-runner.ts';

/** Different faults in the properties that one script is told of. */
export const maxWarnedFaults = 50;

interface PluginTiming extends RestartTiming {
  readonly answerTimeoutMs: number;
}

const defaultTiming: PluginTiming = {
  answerTimeoutMs: 5000,
  firstRestartMs: 1000,
  slowestRestartMs: 60_000,
  healthyRunMs: 60_000,
};

export interface StreamPluginOptions {
  readonly request: ControlScriptRequest;
  /** Where scripts reach the server by themselves; absent when there is no plain HTTP. */
  readonly http?: { readonly host: string; readonly port: number } | undefined;
  /** What stands before the path in the address of an image, for example `http://host:1780`. */
  readonly imagePrefix: () => string;
  readonly images: ImageStore;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Absent: as many scripts as one likes. */
  readonly children?: ChildPlaces;
  readonly timing?: Partial<PluginTiming>;
}

/** A control script that runs, and is asked by JSON-RPC. Source: protocol reference, 16. */
export class StreamPlugin implements ControlScript {
  readonly #options: StreamPluginOptions;
  readonly #log: ProgramLog;
  readonly #requests: PluginRequests;
  readonly #runner: PluginRunner;
  readonly #warnedFaults = new Set<string>();
  #properties: StreamProperties = noProperties;
  #isStopped = false;

  readonly #notifications: ReadonlyMap<unknown, (params: unknown) => void> = new Map([
    ['Plugin.Stream.Ready', () => void this.#askForProperties()],
    ['Plugin.Stream.Player.Properties', (params: unknown) => this.#takeProperties(params)],
    ['Plugin.Stream.Log', (params: unknown) => this.#takeLogLine(params)],
  ]);

  private constructor(options: StreamPluginOptions) {
    const { request, http, logger, clock, children } = options;
    const { streamId, script, params } = request;
    const { answerTimeoutMs, ...timing } = { ...defaultTiming, ...options.timing };
    const args = pluginArguments({ streamId, params, http });
    this.#options = options;
    const log = { logger: logger.tagged('Plugin'), clock, streamId };
    this.#log = new ProgramLog({ ...log, kind: 'control script' });
    this.#requests = new PluginRequests({
      answerTimeoutMs,
      write: (line) => this.#runner.write(line),
    });
    this.#runner = new PluginRunner({
      command: { script, args },
      timing,
      clock,
      log: this.#log,
      children,
      message: (line) => this.#takeLine(line),
      deaf: (why) => this.#requests.rejectAll(why),
      gone: () => this.#forget(),
    });
  }

  /**
   * Starts the script, and starts it again whenever it ends.
   *
   * Failure: throws a `SourceError` when its arguments cannot be split; a script that cannot be
   * started is tried again and again, and the log says why.
   */
  static start(options: StreamPluginOptions): StreamPlugin {
    return new StreamPlugin(options);
  }

  async control(command: string, params?: Readonly<Record<string, number>>): Promise<void> {
    const request = { command, ...(params && { params }) };
    await this.#requests.send('Plugin.Stream.Player.Control', request);
  }

  async setProperty(name: string, value: boolean | number | string): Promise<void> {
    await this.#requests.send('Plugin.Stream.Player.SetProperty', { [name]: value });
  }

  async stop(): Promise<void> {
    if (!this.#isStopped) this.#log.part();
    this.#isStopped = true;
    await this.#runner.stop();
    this.#log.close();
  }

  #takeLine(line: string): void {
    const message = parsedLine(line);
    if (!isObject(message)) {
      this.#log.foreign('warn', 'control script writes something else than messages', {
        line: cut(line),
      });
    } else if (message.method !== undefined) {
      this.#takeCall(message);
    } else if (!this.#requests.answer(message)) {
      this.#log.foreign('debug', 'control script answers what nobody waits for', {
        id: shown(message.id),
      });
    }
  }

  #takeCall({ id, method, params }: JsonObject): void {
    const take = id === undefined ? this.#notifications.get(method) : undefined;
    if (take) {
      take(params);
      return;
    }
    const kind = id === undefined ? 'notification' : 'request';
    this.#log.foreign('warn', 'control script sends what nobody takes', {
      kind,
      method: shown(method),
    });
  }

  async #askForProperties(): Promise<void> {
    try {
      this.#takeProperties(await this.#requests.send('Plugin.Stream.Player.GetProperties'));
    } catch (error) {
      if (this.#isStopped) return;
      const why = error instanceof RpcError ? (error.data ?? error.message) : messageOf(error);
      this.#log.foreign('warn', 'control script does not tell its properties', { error: why });
    }
  }

  #takeLogLine(params: unknown): void {
    const { severity, message } = isObject(params) ? params : {};
    if (typeof message !== 'string') return;
    this.#log.foreign(severityNamed(severity), 'control script says', { line: cut(message) });
  }

  #takeProperties(json: unknown): void {
    if (!isObject(json)) {
      this.#log.foreign('warn', 'properties of a control script are not an object', {});
      return;
    }
    const { images, request } = this.#options;
    const before = this.#properties.metadata;
    let hasImage = false;
    const properties = parseProperties(json, {
      metadata: before,
      keepImage: (image) => {
        hasImage = true;
        return this.#keepImage(image);
      },
      drop: (name, fault) => this.#warn(name, fault),
    });
    if (properties.metadata !== before && !hasImage) images.remove(request.streamId);
    this.#show(properties);
  }

  /** Returns the address of the image. */
  #keepImage(image: CoverArt): string {
    const { images, request, imagePrefix } = this.#options;
    const name = images.put(request.streamId, image);
    return imageAddress(imagePrefix(), name);
  }

  /** Each fault once: scripts send their properties every second. */
  #warn(name: string, fault: string): void {
    if (this.#warnedFaults.size >= maxWarnedFaults || this.#warnedFaults.has(name)) return;
    this.#warnedFaults.add(name);
    this.#log.foreign('warn', 'property of a control script is left out', { name, fault });
  }

  #forget(): void {
    this.#requests.rejectAll('the control script has ended');
    this.#options.images.remove(this.#options.request.streamId);
    this.#show(noProperties);
  }

  #show(properties: StreamProperties): void {
    this.#properties = properties;
    if (!this.#isStopped) this.#options.request.onProperties(properties);
  }
}

/** Lists and objects are not turned into text: deep ones would overflow the stack. */
function shown(value: unknown): string {
  return typeof value === 'object' ? 'no name' : cut(String(value));
}

function parsedLine(line: string): unknown {
  try {
    return parseJson(line);
  } catch {
    return undefined;
  }
}
