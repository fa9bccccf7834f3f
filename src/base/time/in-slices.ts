import { LoopShare } from './loop-share.ts';

/** What is warmed up is slow at first. */
const sliceMs = 2;

/** Calls `step` so many times, in many turns of the event loop if it takes long. */
export async function inSlices(times: number, step: () => void): Promise<void> {
  const share = new LoopShare(sliceMs);
  for (let count = 0; count < times; count += 1) {
    step();
    if (share.isOver) await new Promise<void>((resolve) => share.later(resolve));
  }
}
