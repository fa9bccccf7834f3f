import { writeFileSync } from 'node:fs';

const seconds = 4;
const notesHz = [220, 277.18, 329.63, 440];
const noteLevel = 4000;
/** What no codec can foretell: with it a chunk comes to about half of its size as pcm. */
const noiseLevel = 150;

/** The same noise in every run. Source: Numerical Recipes, "Quick and Dirty" generators. */
function createNoise(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * noiseLevel;
  };
}

/** Writes raw samples, 16 bits and 2 channels, that a lossless codec packs about as well as music. */
export function writeMusic(file: string, rateHz: number): void {
  const noise = createNoise();
  const samples = new Int16Array(seconds * rateHz * 2);
  for (let i = 0; i < samples.length; i++) {
    const turn = (2 * Math.PI * Math.floor(i / 2)) / rateHz;
    const chord = notesHz.reduce((sum, note) => sum + Math.sin(turn * note), 0);
    samples[i] = chord * noteLevel + noise();
  }
  writeFileSync(file, samples);
}
