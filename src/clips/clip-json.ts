import type { Clip } from './clip-facts.ts';

/** What a controller is told of a clip; seconds, LUFS and Hz. */
export function jsonOfClip({ name, bytes, modifiedMs, facts }: Clip) {
  const about = { name, bytes, modified: Math.round(modifiedMs) };
  if (!facts) return about;
  if ('fault' in facts) return { ...about, fault: `${facts.code}: ${facts.fault}` };
  const { durationMs, rateHz: rate, channels, loudnessLufs: loudness } = facts;
  return { ...about, duration: durationMs / 1000, rate, channels, loudness };
}
