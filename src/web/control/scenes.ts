import { effect, signal } from '@preact/signals';
import { tell } from '../parts/toasts.tsx';
import { texts } from '../text/texts.ts';
import { attempt } from './actions.ts';
import { entered, house, link, onNotification } from './server.ts';

/** Source: protocol reference, 9.9. */
export interface SceneObject {
  readonly name: string;
  readonly groups: readonly {
    readonly stream_id?: string;
    readonly clients: readonly { readonly id: string }[];
  }[];
}

/** `undefined`: the server has none, or this user may not see them. */
export const scenes = signal<readonly SceneObject[] | undefined>(undefined);

effect(() => {
  if (entered.value > 0) void load();
});
onNotification('Scene.OnUpdate', () => void load());

async function load(): Promise<void> {
  try {
    scenes.value = ((await link.request('Scene.List')) as { scenes: SceneObject[] }).scenes;
  } catch {
    scenes.value = undefined;
  }
}

/** `what` is a scene by its name, or one itself. Returns how it was before. */
async function apply(what: object): Promise<{ before: object; missing: number } | undefined> {
  const result = await attempt('Scene.Apply', what);
  if (!result) return undefined;
  const { before, missing, server } = result as {
    readonly before: object;
    readonly missing: { readonly clients: readonly string[]; readonly streams: readonly string[] };
    readonly server: unknown;
  };
  house.takeNotification({ method: 'Server.OnUpdate', params: { server } });
  return { before, missing: missing.clients.length + missing.streams.length };
}

export async function applyScene(name: string): Promise<void> {
  const applied = await apply({ name });
  if (!applied) return;
  const { before, missing } = applied;
  const { scenes: words } = texts.value;
  tell(missing > 0 ? words.appliedPartly(name, missing) : words.applied(name), {
    onUndo: () => void apply({ scene: before }),
  });
}

export async function deleteScene(name: string): Promise<void> {
  const result = await attempt('Scene.Delete', { name });
  if (!result) return;
  const { scene } = result as { scene: SceneObject };
  tell(texts.value.scenes.deleted(name), {
    onUndo: () => void attempt('Scene.Save', { name, scene }),
  });
}
