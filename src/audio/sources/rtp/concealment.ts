/** A gap in a ring of frames, in slots of that ring. */
interface Gap {
  readonly frameBytes: number;
  /** 2 or 3, little-endian. */
  readonly sampleBytes: number;
  readonly ringFrames: number;
  readonly start: number;
  readonly frames: number;
  readonly fadeFrames: number;
  /** How much good audio lies around it. */
  readonly framesBefore: number;
  readonly framesBehind: number;
}

/**
 * Fills a gap with the mirror image of what lies before it, which fades out, and of what lies behind
 * it, which fades in: no step is heard at either side, and a short gap is a crossfade.
 */
export function conceal(memory: Uint8Array, gap: Gap): void {
  const { frames, frameBytes, sampleBytes, ringFrames, start, framesBefore, framesBehind } = gap;
  const fadeFrames = Math.min(gap.fadeFrames, frames);
  for (let frame = 0; frame < frames; frame += 1) {
    const at = ((start + frame) % ringFrames) * frameBytes;
    const left = frame < framesBefore ? Math.max(0, 1 - (frame + 0.5) / fadeFrames) : 0;
    const rest = frames - 1 - frame;
    const right = rest < framesBehind ? Math.max(0, 1 - (rest + 0.5) / fadeFrames) : 0;
    const before = ((start - 1 - frame + ringFrames) % ringFrames) * frameBytes;
    const behind = ((start + frames + rest) % ringFrames) * frameBytes;
    for (let byte = 0; byte < frameBytes; byte += sampleBytes) {
      const old = left === 0 ? 0 : left * sampleAt(memory, before + byte, sampleBytes);
      const next = right === 0 ? 0 : right * sampleAt(memory, behind + byte, sampleBytes);
      putSample(memory, at + byte, { sample: Math.round(old + next), sampleBytes });
    }
  }
}

function sampleAt(memory: Uint8Array, at: number, bytes: number): number {
  const shift = 32 - 8 * bytes;
  let value = 0;
  for (let byte = 0; byte < bytes; byte += 1) value |= memory[at + byte]! << (8 * byte);
  return (value << shift) >> shift;
}

function putSample(
  memory: Uint8Array,
  at: number,
  { sample, sampleBytes }: { readonly sample: number; readonly sampleBytes: number },
): void {
  for (let byte = 0; byte < sampleBytes; byte += 1) memory[at + byte] = sample >> (8 * byte);
}
