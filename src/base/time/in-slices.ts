import { LoopShare } from './loop-share.ts';

/** What is warmed up is slow at first. */
const sliceMs = 2;
/** Of all that is done in slices: many at one time keep the event loop no longer than one. */
const share = new LoopShare(sliceMs);

/**
 * Calls `step` so many times, in many turns of the event loop if it takes long; of several that are
 * under way each gets on.
 */
export function inSlices(times: number, step: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let count = 0;
    const goOn = () => {
      try {
        while (count < times) {
          step();
          count += 1;
          if (count < times && share.isOver) {
            share.later(goOn);
            return;
          }
        }
        resolve();
      } catch (error) {
        reject(error);
      }
    };
    share.soon(goOn);
  });
}
