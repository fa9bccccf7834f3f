import { join } from 'node:path';
import type { JsonObject } from '../base/files/json-fields.ts';
import { JsonFile } from '../base/files/json-file.ts';
import { SaveSchedule } from '../base/files/save-schedule.ts';
import type { Logger } from '../base/logger.ts';
import type { Registry } from './registry.ts';
import { parseSavedState } from './saved-state.ts';
import { savedStateText } from './saved-state-text.ts';
import type { SceneList } from './scene-list.ts';

/** A hundred thousand clients fit in: more is not a state file. */
const defaultMaxStateBytes = 64 * 1024 * 1024;
const defaultQuietMs = 2000;
const defaultMaxDelayMs = 10_000;

export interface StateFileOptions {
  /** Made if it does not exist. */
  readonly folder: string;
  readonly logger: Logger;
  /** That no client has joined yet. */
  readonly registry: Registry;
  readonly scenes: SceneList;
  readonly maxStateBytes?: number;
  readonly quietMs?: number;
  readonly maxDelayMs?: number;
}

/**
 * Clients, groups and scenes on disk, in the format of existing servers.
 *
 * Failure: never rejects. What cannot be read or written is told by the log, and the server goes
 * on with what it has in memory. Source: protocol reference, 8.3.
 */
export class StateFile {
  readonly #file: JsonFile;
  readonly #registry: Registry;
  readonly #scenes: SceneList;
  readonly #unknown: JsonObject;
  readonly #schedule: SaveSchedule;

  private constructor(options: StateFileOptions, read: { file: JsonFile; unknown: JsonObject }) {
    this.#registry = options.registry;
    this.#scenes = options.scenes;
    this.#file = read.file;
    this.#unknown = read.unknown;
    this.#schedule = new SaveSchedule({
      save: () => this.#save(),
      quietMs: options.quietMs ?? defaultQuietMs,
      maxDelayMs: options.maxDelayMs ?? defaultMaxDelayMs,
    });
  }

  /** Reads `server.json` and hands its groups to the registry, and its scenes to their list. */
  static async open(options: StateFileOptions): Promise<StateFile> {
    const { folder, registry, scenes, maxStateBytes = defaultMaxStateBytes } = options;
    const logger = options.logger.tagged('StateFile');
    const path = join(folder, 'server.json');
    const file = await JsonFile.open({ path, logger, maxBytes: maxStateBytes });
    const saved = await file.read(parseSavedState);
    if (saved?.faults.count) {
      const { count, listed } = saved.faults;
      logger.warn('file has wrong values, defaults are used', { file: path, count, listed });
    }
    if (saved) {
      registry.restore(saved.groups);
      scenes.restore(saved.scenes);
    }
    return new StateFile(options, { file, unknown: saved?.unknown ?? {} });
  }

  /** Something is different and is to be saved soon. */
  schedule(): void {
    if (this.#file.isWritable) this.#schedule.changed();
  }

  /** Saves what is not saved yet; resolves when it is on disk. */
  close(): Promise<void> {
    return this.#schedule.close();
  }

  #save(): Promise<boolean> {
    const groups = this.#registry.groups.values();
    return this.#file.write(savedStateText(groups, this.#unknown, this.#scenes.all));
  }
}
