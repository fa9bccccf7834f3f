import { signal } from '@preact/signals';
import { texts } from '../text/texts.ts';

/** So long something can be undone, and is read. */
export const undoMs = 6000;
const maxToasts = 3;

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly isFault: boolean;
  readonly onUndo?: (() => void) | undefined;
}

const toasts = signal<readonly Toast[]>([]);
let nextId = 1;

/** Says something for some seconds. */
export function tell(text: string, options: { isFault?: boolean; onUndo?: () => void } = {}): void {
  const toast = { id: nextId, text, isFault: options.isFault ?? false, onUndo: options.onUndo };
  nextId += 1;
  toasts.value = [...toasts.peek(), toast].slice(-maxToasts);
  setTimeout(() => drop(toast.id), undoMs);
}

function drop(id: number): void {
  toasts.value = toasts.peek().filter((toast) => toast.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text, isFault, onUndo }) => (
        <div key={id} class={isFault ? 'toast fault' : 'toast'}>
          <span>{text}</span>
          {onUndo && (
            <button
              type="button"
              onClick={() => {
                onUndo();
                drop(id);
              }}
            >
              {texts.value.undo}
            </button>
          )}
        </div>
      ))}
    </div>
  );
}
