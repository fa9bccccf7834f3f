import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../base/files/atomic-file.ts';
import {
  type Clip,
  type ClipFacts,
  type ClipVersion,
  factsText,
  maxFactsBytes,
  parseFacts,
} from './clip-facts.ts';
import { type ClipFolder, readSmall } from './clip-folder.ts';

/** Of what is known of a clip, in a hidden file beside it. */
const factsEnding = '.clip';
/** Faults that are over soon. */
const passing: readonly string[] = ['busy', 'closing'];

/** What was found out about the clips of a folder: in memory, and beside each of them. */
export class KeptFacts {
  readonly #folder: ClipFolder;
  /** By name; of clips that are there. */
  readonly #facts = new Map<string, ClipVersion & { readonly facts: ClipFacts }>();

  constructor(folder: ClipFolder) {
    this.#folder = folder;
  }

  /** What was found out before about this very content. */
  async of(clip: Clip): Promise<ClipFacts | undefined> {
    const known = this.#facts.get(clip.name);
    if (known && known.bytes === clip.bytes && known.modifiedMs === clip.modifiedMs) {
      return known.facts;
    }
    const text = await readSmall(this.#pathOf(clip.name), maxFactsBytes);
    const facts = text === undefined ? undefined : parseFacts(text, clip);
    if (facts) this.#remember(clip, facts);
    return facts;
  }

  /** What can be otherwise soon is not kept, or not on the disk. */
  async keep(clip: Clip, facts: ClipFacts): Promise<void> {
    if ('fault' in facts && passing.includes(facts.code)) return;
    this.#remember(clip, facts);
    if ('fault' in facts && facts.code !== 'bad-clip') return;
    // A folder that cannot be written to is read all the same.
    await writeFileAtomically(this.#pathOf(clip.name), factsText(clip, facts)).catch(() => {});
  }

  /** The clip has another name now. */
  async move(name: string, newName: string): Promise<void> {
    await rename(this.#pathOf(name), this.#pathOf(newName)).catch(() => undefined);
    this.#facts.delete(name);
  }

  /** The clip is no more. */
  async remove(name: string): Promise<void> {
    await rm(this.#pathOf(name), { force: true }).catch(() => undefined);
    this.#facts.delete(name);
  }

  /** There are no other clips any more; what lies beside those is left. */
  forgetOthers(names: ReadonlySet<string>): void {
    for (const name of this.#facts.keys()) if (!names.has(name)) this.#facts.delete(name);
  }

  /** Removes from the disk what is about other clips. */
  async sweep(names: ReadonlySet<string>): Promise<void> {
    for (const file of await readdir(this.#folder.path).catch(() => [])) {
      const isFacts = file.startsWith('.') && file.endsWith(factsEnding);
      if (!isFacts || names.has(file.slice(1, -factsEnding.length))) continue;
      await rm(join(this.#folder.path, file)).catch(() => undefined);
    }
  }

  #remember({ name, bytes, modifiedMs }: Clip, facts: ClipFacts): void {
    this.#facts.set(name, { bytes, modifiedMs, facts });
  }

  #pathOf(name: string): string {
    return join(this.#folder.path, `.${name}${factsEnding}`);
  }
}
