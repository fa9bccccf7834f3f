import { cutText } from '../base/foreign-text.ts';
import {
  charactersIn,
  clientsIn,
  maxSceneCharacters,
  maxSceneClients,
  type Scene,
  sceneName,
} from './scene.ts';
import { SceneError } from './scene-error.ts';

const maxScenes = 64;
const maxQuotedLength = 100;

/** The scenes that were saved, in the order of that. Failure: methods throw a `SceneError`. */
export class SceneList {
  readonly #onChange: () => void;
  #scenes = new Map<string, Scene>();

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get all(): readonly Scene[] {
    return [...this.#scenes.values()];
  }

  get(name: string): Scene {
    const scene = this.#scenes.get(sceneName(name));
    if (scene) return scene;
    const shown = cutText(name, maxQuotedLength);
    throw new SceneError('unknown-scene', `there is no scene "${shown}"`);
  }

  save(scene: Scene, { replace }: { readonly replace: boolean }): void {
    const { name } = scene;
    if (this.#scenes.has(name) && !replace) throw taken(name);
    const others = this.all.filter((other) => other.name !== name);
    if (others.length >= maxScenes) {
      throw new SceneError('too-many', `there are ${maxScenes} scenes already: delete one`);
    }
    const surplus = surplusOf([...others, scene]);
    if (surplus) {
      const fault = `all scenes together would have more than ${surplus}`;
      throw new SceneError('too-many', `${fault}: delete one`);
    }
    this.#scenes.set(name, scene);
    this.#onChange();
  }

  /** Keeps its place. Returns the name as it is kept. */
  rename(oldName: string, newName: string): string {
    const scene = this.get(oldName);
    const name = sceneName(newName);
    if (name !== scene.name && this.#scenes.has(name)) throw taken(name);
    const scenes = this.all.map((one) => (one === scene ? { ...scene, name } : one));
    this.#scenes = new Map(scenes.map((one) => [one.name, one]));
    this.#onChange();
    return name;
  }

  /** Returns what it was. */
  remove(name: string): Scene {
    const scene = this.get(name);
    this.#scenes.delete(scene.name);
    this.#onChange();
    return scene;
  }

  /** Takes over what was saved, as far as there may be so many. */
  restore(scenes: readonly Scene[]): void {
    const kept: Scene[] = [];
    for (const scene of scenes) {
      if (this.#scenes.has(scene.name)) continue;
      kept.push(scene);
      if (kept.length > maxScenes || surplusOf(kept)) break;
      this.#scenes.set(scene.name, scene);
    }
  }
}

/** Of what they have together too much. */
function surplusOf(scenes: readonly Scene[]): string | undefined {
  const inAll = (of: (scene: Scene) => number) => scenes.reduce((sum, scene) => sum + of(scene), 0);
  if (inAll(clientsIn) > maxSceneClients) return `${maxSceneClients} clients`;
  return inAll(charactersIn) > maxSceneCharacters
    ? `${maxSceneCharacters} characters in ids and names`
    : undefined;
}

function taken(name: string): SceneError {
  return new SceneError('exists', `there is a scene "${name}" already`);
}
