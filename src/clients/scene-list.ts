import { cutText } from '../base/foreign-text.ts';
import { clientsIn, maxSceneClients, type Scene, sceneName } from './scene.ts';
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
    const clients = others.reduce((sum, other) => sum + clientsIn(other), clientsIn(scene));
    if (clients > maxSceneClients) {
      const fault = `all scenes together would have more than ${maxSceneClients} clients`;
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
    let clients = 0;
    for (const scene of scenes) {
      clients += clientsIn(scene);
      if (this.#scenes.size >= maxScenes || clients > maxSceneClients) break;
      if (!this.#scenes.has(scene.name)) this.#scenes.set(scene.name, scene);
    }
  }
}

function taken(name: string): SceneError {
  return new SceneError('exists', `there is a scene "${name}" already`);
}
