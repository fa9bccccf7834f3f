import { faultText } from '../control/actions.ts';
import { Icon } from '../parts/icons.tsx';
import { tell } from '../parts/toasts.tsx';
import { texts } from '../text/texts.ts';
import { previewed, togglePreview } from './preview.ts';
import { SoundFileError } from './sound-file.ts';

interface PreviewButtonProps {
  readonly previewKey: string;
  readonly name: string;
  readonly load: () => Promise<AudioBuffer>;
}

/** Lets the user hear it here first. */
export function PreviewButton({ previewKey, name, load }: PreviewButtonProps) {
  const { announce: words } = texts.value;
  const isPlaying = previewed.value === previewKey;
  const toggle = async () => {
    try {
      await togglePreview(previewKey, load);
    } catch (error) {
      const text = error instanceof SoundFileError ? words.faults[error.code] : faultText(error);
      tell(texts.value.failed(text), { isFault: true });
    }
  };
  return (
    <button
      type="button"
      class="quiet round"
      aria-label={isPlaying ? words.stopPreview(name) : words.preview(name)}
      onClick={() => void toggle()}
    >
      <Icon name={isPlaying ? 'stop' : 'play'} />
    </button>
  );
}
