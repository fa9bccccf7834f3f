/**
 * Runs `clean` when this process ends, or the test run that it belongs to; the caller calls what is
 * returned when there is nothing to clean any more.
 */
export function whenCutShort(clean: () => void): () => void {
  process.once('exit', clean);
  // The workers of a run that is killed go on for a while, and only notice that it is gone.
  process.once('disconnect', clean);
  return () => {
    process.off('exit', clean);
    process.off('disconnect', clean);
  };
}
