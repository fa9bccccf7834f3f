import { parseStreamUri } from '../audio/stream-uri.ts';
import { isObject } from '../base/files/json-fields.ts';
import { DamagedFileError, JsonFile } from '../base/files/json-file.ts';
import { SaveSchedule } from '../base/files/save-schedule.ts';
import type { Logger } from '../base/logger.ts';

const version = 1;
/** Far more than the longest list needs. */
const maxFileBytes = 64 * 1024 * 1024;
/** Saved streams, those that cannot be opened at present included. */
export const maxSavedStreams = 1024;
const quietMs = 50;
const maxDelayMs = 1000;

interface AddedStreamsOptions {
  /** Of the file: `<datadir>/streams.json`. */
  readonly path: string;
  readonly logger: Logger;
}

/**
 * The addresses of the streams that controllers have added, in a file, so that the streams are
 * there again after a restart.
 *
 * Failure: a file that is damaged is set aside, one that cannot be written is tried again; the log
 * tells, and the streams themselves are not concerned.
 */
export class AddedStreams {
  readonly #logger: Logger;
  readonly #file: JsonFile;
  readonly #byName: Map<string, string>;
  readonly #schedule: SaveSchedule;

  static async open({ path, logger }: AddedStreamsOptions): Promise<AddedStreams> {
    const own = logger.tagged('Stream');
    // Addresses may hold passwords.
    const file = await JsonFile.open({
      path,
      logger: own,
      maxBytes: maxFileBytes,
      isPrivate: true,
    });
    const saved = (await file.read(addressesIn)) ?? [];
    return new AddedStreams(file, saved, own);
  }

  private constructor(file: JsonFile, saved: readonly string[], logger: Logger) {
    this.#logger = logger;
    this.#file = file;
    this.#byName = new Map(saved.map((address) => [nameIn(address), address]));
    this.#schedule = new SaveSchedule({
      save: () => file.write(this.#text()),
      quietMs,
      maxDelayMs,
    });
  }

  /** In the order in which they were added. */
  get addresses(): readonly string[] {
    return [...this.#byName.values()];
  }

  /** An address that was saved under the same name is forgotten. */
  add(name: string, address: string): void {
    if (!this.#byName.has(name) && this.#byName.size >= maxSavedStreams) {
      this.#logger.warn('stream not saved, there are too many', { stream: name, maxSavedStreams });
      return;
    }
    this.#byName.set(name, address);
    this.#changed();
  }

  remove(name: string): void {
    if (this.#byName.delete(name)) this.#changed();
  }

  /** Resolves when everything is in the file. */
  async close(): Promise<void> {
    await this.#schedule.close();
  }

  /** Where nothing can be saved, it is not tried again and again. */
  #changed(): void {
    if (this.#file.isWritable) this.#schedule.changed();
  }

  #text(): string {
    return `${JSON.stringify({ version, streams: this.addresses }, undefined, 2)}\n`;
  }
}

/** Failure: throws a `DamagedFileError` that quotes nothing, as addresses may hold passwords. */
export function addressesIn(json: unknown): readonly string[] {
  if (!isObject(json) || json.version !== version) {
    throw new DamagedFileError(`it is not a list of streams of version ${version}`);
  }
  const { streams } = json;
  if (!Array.isArray(streams) || streams.length > maxSavedStreams || !streams.every(isText)) {
    throw new DamagedFileError(`"streams" is no list of at most ${maxSavedStreams} addresses`);
  }
  return streams;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** An address that cannot be used keeps its place under itself. */
function nameIn(address: string): string {
  try {
    return parseStreamUri(address).query.name ?? address;
  } catch {
    return address;
  }
}
