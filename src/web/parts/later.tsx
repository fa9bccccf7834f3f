import { signal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { texts } from '../text/texts.ts';

/** A component whose code is loaded when it is first shown. */
export function later<Props extends object>(
  load: () => Promise<FunctionComponent<Props>>,
): FunctionComponent<Props> {
  const state = signal<FunctionComponent<Props> | 'new' | 'loading' | 'missing'>('new');
  const begin = async () => {
    state.value = 'loading';
    try {
      const loaded = await load();
      state.value = loaded;
    } catch {
      state.value = 'missing';
    }
  };
  return (props) => {
    const Loaded = state.value;
    if (Loaded === 'new') void begin();
    if (Loaded === 'missing') return <Missing />;
    return typeof Loaded === 'function' ? <Loaded {...props} /> : null;
  };
}

/** The server is away, or has another version of the page by now. */
function Missing() {
  return (
    <div class="card empty" role="alert">
      <p>{texts.value.notLoaded}</p>
      <button type="button" onClick={() => location.reload()}>
        {texts.value.reload}
      </button>
    </div>
  );
}
