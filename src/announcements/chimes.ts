import { inSlices } from '../base/time/in-slices.ts';
import { Sound } from './sound.ts';

const rateHz = 48_000;
/** No click at the beginning. */
const attackS = 0.004;

/** Samples that are made at a time: about 0.2 ms. */
const sliceFrames = 4096;

/** One stroke of a bell. */
interface Stroke {
  readonly atS: number;
  readonly hz: number;
  /** Until it has fallen to a thousandth. */
  readonly decayS: number;
  readonly level?: number;
}

/** Of a bell: frequency, level and decay of each partial against those of the lowest. */
const partials = [
  { ratio: 1, level: 1, decay: 1 },
  { ratio: 2.01, level: 0.35, decay: 0.6 },
  { ratio: 3.03, level: 0.12, decay: 0.35 },
] as const;

const tickAt = (atS: number): Stroke => ({ atS, hz: 2000, decayS: 0.06, level: 0.7 });

const chimes = {
  ding: [{ atS: 0, hz: 880, decayS: 1.4 }],
  dingdong: [
    { atS: 0, hz: 659.26, decayS: 1.3 },
    { atS: 0.55, hz: 523.25, decayS: 1.8 },
  ],
  alert: [0, 1, 2, 3, 4, 5].map((index) => ({
    atS: 0.18 * index + (index >= 3 ? 0.3 : 0),
    hz: index % 3 === 2 ? 1174.66 : 987.77,
    decayS: 0.35,
  })),
  tick: [tickAt(0)],
  // Repeated without a seam: 80 to the minute, by which one hears which of two players is ahead.
  ticks: [0, 1, 2, 3, 4, 5, 6, 7].map((index) => tickAt(0.69 + 0.75 * index)),
} as const satisfies Readonly<Record<string, readonly Stroke[]>>;

export type ChimeName = keyof typeof chimes;

export const chimeNames: readonly string[] = Object.keys(chimes);

export function isChime(name: string): name is ChimeName {
  return Object.hasOwn(chimes, name);
}

/** Synthesises a chime: mono, 48 kHz. */
export async function synthesizeChime(name: ChimeName): Promise<Sound> {
  const strokes: readonly Stroke[] = chimes[name];
  const endS = Math.max(...strokes.map(({ atS, decayS }) => atS + decayS));
  const samples = new Float32Array(Math.ceil(endS * rateHz));
  for (const stroke of strokes) {
    for (const partial of partials) await addPartial(samples, stroke, partial);
  }
  return Sound.of({ rateHz, channels: 1, samples });
}

async function addPartial(
  samples: Float32Array,
  { atS, hz, decayS, level = 1 }: Stroke,
  partial: (typeof partials)[number],
): Promise<void> {
  const start = Math.round(atS * rateHz);
  const frames = Math.min(samples.length - start, Math.round(decayS * rateHz));
  const angle = (2 * Math.PI * hz * partial.ratio) / rateHz;
  // Ln of a thousandth.
  const fall = -6.9 / (decayS * partial.decay * rateHz);
  let frame = 0;
  await inSlices(Math.ceil(frames / sliceFrames), () => {
    for (const end = Math.min(frames, frame + sliceFrames); frame < end; frame += 1) {
      const attack = Math.min(1, frame / (attackS * rateHz));
      // The last of it fades, as a thousandth can be heard to end.
      const release = Math.min(1, (frames - frame) / (attackS * rateHz));
      const envelope = attack * release * Math.exp(fall * frame);
      samples[start + frame]! += 0.3 * level * partial.level * envelope * Math.sin(angle * frame);
    }
  });
}
