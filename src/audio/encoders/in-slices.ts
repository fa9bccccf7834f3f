/** Between two looks of others at the event loop: what is warmed up is slow at first. */
const sliceMs = 2;

/** Calls `step` so many times, in many turns of the event loop if it takes long. */
export async function inSlices(times: number, step: () => void): Promise<void> {
  let endMs = performance.now() + sliceMs;
  for (let count = 0; count < times; count += 1) {
    step();
    if (performance.now() < endMs) continue;
    await new Promise((resolve) => setImmediate(resolve));
    endMs = performance.now() + sliceMs;
  }
}
