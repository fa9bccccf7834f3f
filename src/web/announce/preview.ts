import { signal } from '@preact/signals';

/** What is being listened to here, by the name that its button has given it. */
export const previewed = signal<string | undefined>(undefined);
let context: AudioContext | undefined;
let source: AudioBufferSourceNode | undefined;

/** Plays a sound in this browser, or stops it. To be called by a tap: browsers allow no sound otherwise. */
export async function togglePreview(key: string, load: () => Promise<AudioBuffer>): Promise<void> {
  const wasPlaying = previewed.peek() === key;
  stopPreview();
  if (wasPlaying) return;
  previewed.value = key;
  context ??= new AudioContext();
  void context.resume();
  try {
    const buffer = await load();
    if (previewed.peek() !== key) return;
    source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(context.destination);
    source.addEventListener('ended', () => {
      if (previewed.peek() === key) previewed.value = undefined;
    });
    source.start();
  } catch (error) {
    previewed.value = undefined;
    throw error;
  }
}

export function stopPreview(): void {
  source?.stop();
  source = undefined;
  previewed.value = undefined;
}
