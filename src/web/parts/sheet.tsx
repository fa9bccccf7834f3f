import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { texts } from '../text/texts.ts';
import { Icon } from './icons.tsx';
import { Toasts } from './toasts.tsx';

/** Whatever lies below cannot be reached while there is one. */
export const openSheets = signal(0);

interface SheetProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** For a dialog that lies over the page as long as it is there; it shows the toasts meanwhile. */
export function useModal() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    openSheets.value += 1;
    return () => {
      element?.close();
      openSheets.value -= 1;
    };
  }, []);
  return dialog;
}

/** Lies over the page until it is closed. */
export function Sheet({ title, onClose, children }: SheetProps) {
  const dialog = useModal();
  const titleId = useId();
  return (
    <dialog
      ref={dialog}
      class="sheet"
      aria-labelledby={titleId}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === event.currentTarget) onClose();
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose();
      }}
    >
      <div class="sheet-body">
        <header>
          <h2 id={titleId}>{title}</h2>
          <button
            type="button"
            class="quiet round"
            aria-label={texts.value.close}
            onClick={onClose}
          >
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
      <Toasts />
    </dialog>
  );
}
