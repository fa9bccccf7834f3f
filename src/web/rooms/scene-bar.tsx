import { useSignal } from '@preact/signals';
import { permit } from '../control/login.ts';
import { applyScene, scenes } from '../control/scenes.ts';
import { Icon } from '../parts/icons.tsx';
import { later } from '../parts/later.tsx';
import { texts } from '../text/texts.ts';

const SceneSheet = later(async () => (await import('./scene-sheet.tsx')).SceneSheet);

/** One tap puts all rooms as they were when the scene was saved. */
export function SceneBar() {
  const isOpen = useSignal(false);
  if (!scenes.value) return null;
  const { scenes: words } = texts.value;
  return (
    <section class="scenes" aria-label={words.title}>
      {scenes.value.length > 0 && (
        <div class="scroll">
          {scenes.value.map(({ name }) => (
            <button
              key={name}
              type="button"
              class="pill"
              {...permit('Scene.Apply')}
              onClick={() => void applyScene(name)}
            >
              <span class="cut">{name}</span>
            </button>
          ))}
        </div>
      )}
      <button
        type="button"
        class="quiet"
        aria-haspopup="dialog"
        onClick={() => {
          isOpen.value = true;
        }}
      >
        <Icon name="scenes" /> {words.open}
      </button>
      {isOpen.value && (
        <SceneSheet
          onClose={() => {
            isOpen.value = false;
          }}
        />
      )}
    </section>
  );
}
