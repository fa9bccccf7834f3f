import { setTimeout as delay } from 'node:timers/promises';

/**
 * How often this process could have looked, every 20 ms, until `end`: a measure of patience that
 * does not depend on how busy the machine is.
 */
export async function looksUntil(end: Promise<unknown>): Promise<number> {
  let looks = 0;
  let isOver = false;
  void end.then(() => {
    isOver = true;
  });
  for (; !isOver; looks += 1) await delay(20);
  return looks;
}
