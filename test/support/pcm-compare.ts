import type { SampleFormat } from '../../src/audio/sample-format.ts';

/** So many equal frames in a row are no accident. */
const windowFrames = 8;
const indexStrideFrames = 64;

export interface ExactRun {
  readonly frames: number;
  /** `frames` as a part of everything that was fed, 0..1. */
  readonly share: number;
  /** Where the run begins in the fed and in the recorded audio. */
  readonly fedFrame: number;
  readonly recordedFrame: number;
}

export interface Comparison {
  readonly fed: Buffer;
  readonly recorded: Buffer;
  readonly format: SampleFormat;
}

/**
 * Finds the pieces of the recording that are, without a gap, exactly pieces of the feed, in the
 * order of the recording.
 *
 * Every 64th place of the feed is indexed by the frames there; places that look like others
 * (silence) are left out. So the shortest run that is surely found has 64 + 8 frames.
 */
export function exactRuns({ fed, recorded, format }: Comparison): readonly ExactRun[] {
  const { frameBytes } = format;
  const places = indexOf(fed, frameBytes);
  const fedFrames = Math.floor(fed.length / frameBytes);
  const runs: ExactRun[] = [];
  let frame = 0;
  while ((frame + windowFrames) * frameBytes <= recorded.length) {
    const fedFrame = places.get(windowAt(recorded, frame, frameBytes));
    if (fedFrame === undefined) {
      frame += 1;
      continue;
    }
    const before = equalBytesBackward(fed, fedFrame * frameBytes, recorded, frame * frameBytes);
    const after = equalBytesForward(fed, fedFrame * frameBytes, recorded, frame * frameBytes);
    const framesBefore = Math.floor(before / frameBytes);
    const frames = framesBefore + Math.floor(after / frameBytes);
    runs.push({
      frames,
      share: frames / fedFrames,
      fedFrame: fedFrame - framesBefore,
      recordedFrame: frame - framesBefore,
    });
    frame += Math.floor(after / frameBytes);
  }
  return runs;
}

/** The longest of `exactRuns`; a run of 0 frames when there is none. */
export function longestExactRun(comparison: Comparison): ExactRun {
  const none: ExactRun = { frames: 0, share: 0, fedFrame: 0, recordedFrame: 0 };
  return exactRuns(comparison).reduce(
    (longest, run) => (run.frames > longest.frames ? run : longest),
    none,
  );
}

/**
 * True when the runs differ from one whole run only by single frames that were left out or doubled.
 *
 * That is how a client keeps in step with the server; no fault of a server looks like it, because
 * a server loses whole chunks.
 */
export function differsBySingleFrames(runs: readonly ExactRun[]): boolean {
  return runs.slice(1).every((run, index) => {
    const previous = runs[index]!;
    const recordedGap = run.recordedFrame - previous.recordedFrame;
    const fedGap = run.fedFrame - previous.fedFrame;
    const isContiguous = Math.abs(recordedGap - previous.frames) <= 1;
    return isContiguous && Math.abs(fedGap - recordedGap) === 1;
  });
}

/** Index of the first frame that is not silent, or undefined. */
export function firstAudibleFrame(recorded: Buffer, format: SampleFormat): number | undefined {
  const byte = recorded.findIndex((value) => value !== 0);
  return byte < 0 ? undefined : Math.floor(byte / format.frameBytes);
}

/** Maps the first frames at every 64th place to that place, as far as they are unique. */
function indexOf(fed: Buffer, frameBytes: number): Map<string, number> {
  const places = new Map<string, number>();
  const ambiguous = new Set<string>();
  for (let frame = 0; (frame + windowFrames) * frameBytes <= fed.length; ) {
    const key = windowAt(fed, frame, frameBytes);
    if (places.has(key)) ambiguous.add(key);
    places.set(key, frame);
    frame += indexStrideFrames;
  }
  for (const key of ambiguous) places.delete(key);
  return places;
}

function windowAt(pcm: Buffer, frame: number, frameBytes: number): string {
  return pcm.toString('latin1', frame * frameBytes, (frame + windowFrames) * frameBytes);
}

function equalBytesForward(a: Buffer, aStart: number, b: Buffer, bStart: number): number {
  const limit = Math.min(a.length - aStart, b.length - bStart);
  let bytes = 0;
  while (bytes < limit && a[aStart + bytes] === b[bStart + bytes]) bytes += 1;
  return bytes;
}

function equalBytesBackward(a: Buffer, aEnd: number, b: Buffer, bEnd: number): number {
  const limit = Math.min(aEnd, bEnd);
  let bytes = 0;
  while (bytes < limit && a[aEnd - bytes - 1] === b[bEnd - bytes - 1]) bytes += 1;
  return bytes;
}
