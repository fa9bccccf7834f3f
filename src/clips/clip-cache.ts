import type { ClipAudio } from './clip-audio.ts';

/** Decoded samples that are kept: about a minute and a half of stereo. */
export const maxCachedBytes = 32 * 1024 * 1024;

/** The clips that were decoded lately, by what they were decoded from. */
export class ClipCache {
  /** The one that was asked for last is the last. */
  readonly #clips = new Map<string, ClipAudio>();
  #bytes = 0;

  get(key: string): ClipAudio | undefined {
    const audio = this.#clips.get(key);
    if (audio) {
      this.#clips.delete(key);
      this.#clips.set(key, audio);
    }
    return audio;
  }

  /** Makes room by forgetting those that were not asked for the longest; what is too large is not kept. */
  put(key: string, audio: ClipAudio): void {
    if (audio.samples.byteLength > maxCachedBytes) return;
    this.#forget(key);
    this.#clips.set(key, audio);
    this.#bytes += audio.samples.byteLength;
    for (const old of this.#clips.keys()) {
      if (this.#bytes <= maxCachedBytes) break;
      this.#forget(old);
    }
  }

  #forget(key: string): void {
    this.#bytes -= this.#clips.get(key)?.samples.byteLength ?? 0;
    this.#clips.delete(key);
  }
}
