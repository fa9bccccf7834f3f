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
    const node = context.createBufferSource();
    node.buffer = buffer;
    node.connect(context.destination);
    // The end of one that was stopped is heard when the next one plays.
    node.addEventListener('ended', () => {
      if (source === node) stopPreview();
    });
    // The same one, that was asked for before.
    source?.stop();
    source = node;
    node.start();
  } catch (error) {
    if (previewed.peek() === key) stopPreview();
    throw error;
  }
}

export function stopPreview(): void {
  source?.stop();
  source = undefined;
  previewed.value = undefined;
  // One that runs keeps the loudspeaker awake.
  void context?.suspend();
}
