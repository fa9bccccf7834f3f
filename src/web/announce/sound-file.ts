import { mixedDown, peaksOf, wavBytes, wavOf } from './wav.ts';

/** What the server mixes in most cases; others are converted once, here. */
const rateHz = 48_000;
/** More would be too much for the memory of a phone. */
const maxFileBytes = 64 * 1024 * 1024;
const peakCount = 120;
/** What is said of a duration before all is decoded may be a guess. */
const guessedPart = 2;
const guessTimeoutMs = 2000;

interface SoundLimits {
  readonly maxSeconds: number;
  readonly maxBytes: number;
}

/** A sound as it goes to the server. */
export interface SoundFile {
  readonly name: string;
  readonly seconds: number;
  readonly wav: Uint8Array<ArrayBuffer>;
  /** To be listened to first. */
  readonly audio: AudioBuffer;
  readonly peaks: readonly number[];
}

/** Why a file cannot be announced. */
export class SoundFileError extends Error {
  readonly code: 'tooLarge' | 'unreadable' | 'tooLong';

  constructor(code: SoundFileError['code']) {
    super(code);
    this.code = code;
  }
}

/**
 * Turns whatever the browser can decode into a WAV file: the server needs no decoder for it.
 *
 * Failure: rejects with a `SoundFileError`, before anything is sent.
 */
export async function readSoundFile(
  file: Blob,
  name: string,
  { maxSeconds, maxBytes, onPart }: SoundLimits & { readonly onPart: (part: number) => void },
): Promise<SoundFile> {
  if (file.size > maxFileBytes) throw new SoundFileError('tooLarge');
  // Decoded, an hour of music would fill the memory of a phone.
  if ((await guessedSeconds(file)) > guessedPart * maxSeconds) throw new SoundFileError('tooLong');
  const audio = await decoded(file);
  if (audio.duration > maxSeconds) throw new SoundFileError('tooLong');
  const all = Array.from({ length: Math.min(2, audio.numberOfChannels) }, (_, index) =>
    audio.getChannelData(index),
  );
  const fits = wavBytes(audio.length, all.length) <= maxBytes;
  const channels = fits ? all : [mixedDown(all)];
  if (wavBytes(audio.length, channels.length) > maxBytes) throw new SoundFileError('tooLong');
  const wav = await wavOf(channels, audio.sampleRate, onPart);
  return { name, seconds: audio.duration, wav, audio, peaks: peaksOf(all, peakCount) };
}

/** Failure: rejects with a `SoundFileError`. */
export async function decoded(file: Blob): Promise<AudioBuffer> {
  try {
    // It has the rate that is wanted, and needs neither a tap nor a device.
    const context = new OfflineAudioContext(1, 1, rateHz);
    const audio = await context.decodeAudioData(await file.arrayBuffer());
    if (audio.length > 0) return audio;
  } catch {
    // Said by the error below.
  }
  throw new SoundFileError('unreadable');
}

/** Zero where the browser does not tell. */
async function guessedSeconds(file: Blob): Promise<number> {
  const address = URL.createObjectURL(file);
  const audio = new Audio();
  audio.preload = 'metadata';
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, guessTimeoutMs);
    for (const event of ['loadedmetadata', 'error']) {
      audio.addEventListener(event, () => {
        clearTimeout(timer);
        resolve();
      });
    }
    audio.src = address;
  });
  URL.revokeObjectURL(address);
  // That of a recording of the browser itself has no end.
  return Number.isFinite(audio.duration) ? audio.duration : 0;
}
