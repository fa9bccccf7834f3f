import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

/** So much above and below what is seen is there already. */
const marginPx = 300;

export interface ListRow {
  readonly key: string;
  /** Until it was seen. Units: pixels. */
  readonly likelyHeight: number;
  readonly render: () => ComponentChildren;
}

/** A list that scrolls with the page, of which only what is seen is there. */
export function VirtualList({ rows }: { readonly rows: readonly ListRow[] }) {
  const box = useRef<HTMLDivElement>(null);
  const heights = useRef(new Map<string, number>()).current;
  const view = useSignal({ top: 0, bottom: globalThis.innerHeight });
  const measured = useSignal(0);
  measured.value;

  useLayoutEffect(() => {
    const look = () => {
      const top = -(box.current?.getBoundingClientRect().top ?? 0);
      view.value = { top: top - marginPx, bottom: top + globalThis.innerHeight + marginPx };
    };
    look();
    globalThis.addEventListener('scroll', look, { passive: true });
    globalThis.addEventListener('resize', look);
    return () => {
      globalThis.removeEventListener('scroll', look);
      globalThis.removeEventListener('resize', look);
    };
  }, []);

  const shown: { row: ListRow; top: number }[] = [];
  let height = 0;
  for (const row of rows) {
    const own = heights.get(row.key) ?? row.likelyHeight;
    if (height + own >= view.value.top && height <= view.value.bottom) {
      shown.push({ row, top: height });
    }
    height += own;
  }

  useLayoutEffect(() => {
    let isChanged = false;
    for (const element of box.current?.children ?? []) {
      const key = element.getAttribute('data-key') ?? '';
      const own = element.getBoundingClientRect().height;
      if (Math.abs((heights.get(key) ?? -1) - own) < 0.5) continue;
      heights.set(key, own);
      isChanged = true;
    }
    if (isChanged) measured.value += 1;
  });

  return (
    <div ref={box} class="virtual-list" style={{ height: `${height}px` }}>
      {shown.map(({ row, top }) => (
        <div key={row.key} data-key={row.key} style={{ transform: `translateY(${top}px)` }}>
          {row.render()}
        </div>
      ))}
    </div>
  );
}
