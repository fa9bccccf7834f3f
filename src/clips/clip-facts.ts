import { isObject } from '../base/files/json-fields.ts';
import { parseJson } from '../base/foreign-text.ts';
import { inSlices } from '../base/time/in-slices.ts';
import type { Dsp } from '../dsp/dsp.ts';
import { integratedLoudness } from '../metering/integrated-loudness.ts';
import type { ClipAudio } from './clip-audio.ts';
import type { ClipError } from './clip-error.ts';

/** Columns of the picture of a clip. */
const waveformColumns = 200;
/** Of full scale. */
const waveformPeak = 127;
const formatVersion = 1;
/** A longer text was not written by us. */
export const maxFactsBytes = 16 * 1024;
const maxFaultLength = 500;

/** What is known of a clip by its sound. */
interface ClipSound {
  readonly durationMs: number;
  readonly rateHz: number;
  readonly channels: number;
  /** Integrated; absent of silence. */
  readonly loudnessLufs?: number | undefined;
  /**
   * Shape: lowest and highest sample of each of 200 equal pieces, all channels together, in turns;
   * -127 to 127.
   */
  readonly waveform: readonly number[];
}

/** Or why it cannot be played. */
export type ClipFacts = ClipSound | { readonly fault: string; readonly code: string };

/** Which content of a file the facts are about. */
export interface ClipVersion {
  readonly bytes: number;
  /** When it was written last, in milliseconds since 1970. */
  readonly modifiedMs: number;
}

/** One file of the library. */
export interface Clip extends ClipVersion {
  readonly name: string;
  /** Absent while it was not looked at yet. */
  readonly facts?: ClipFacts | undefined;
}

export function faultFacts({ code, message }: ClipError): ClipFacts {
  return { code, fault: message.slice(0, maxFaultLength) };
}

export async function soundOf(audio: ClipAudio, dsp: Dsp): Promise<ClipSound> {
  const { samples, channels, rateHz, durationMs } = audio;
  const waveform: number[] = [];
  const frames = samples.length / channels;
  const startOf = (column: number) => Math.floor((column * frames) / waveformColumns) * channels;
  await inSlices(waveformColumns, () => {
    const column = waveform.length / 2;
    // Of a short clip some columns show the same sample.
    const end = Math.max(startOf(column + 1), startOf(column) + channels);
    waveform.push(...extremes(samples, startOf(column), end));
  });
  const part = (first: number, count: number) =>
    samples.subarray(first * channels, (first + count) * channels);
  const lufs = await integratedLoudness({ rateHz, channels, frames, samples: part }, dsp);
  const sound = { durationMs, rateHz, channels, waveform };
  return Number.isFinite(lufs) ? { ...sound, loudnessLufs: Number(lufs.toFixed(1)) } : sound;
}

function extremes(samples: Float32Array, start: number, end: number): [number, number] {
  let low = 1;
  let high = -1;
  for (let at = start; at < end; at += 1) {
    const sample = samples[at]!;
    if (sample < low) low = sample;
    if (sample > high) high = sample;
  }
  const scaled = (value: number) => Math.round(Math.max(-1, Math.min(1, value)) * waveformPeak);
  return [scaled(low), scaled(high)];
}

export function factsText({ bytes, modifiedMs }: ClipVersion, facts: ClipFacts): string {
  return JSON.stringify({ version: formatVersion, bytes, modifiedMs, ...facts });
}

/** `undefined` for what is about another content, or was not written by us. */
export function parseFacts(text: string, about: ClipVersion): ClipFacts | undefined {
  let json: unknown;
  try {
    json = parseJson(text);
  } catch {
    return undefined;
  }
  if (!isObject(json)) return undefined;
  const { version, bytes, modifiedMs, fault, code } = json;
  const { durationMs, rateHz, channels, waveform, loudnessLufs } = json;
  if (version !== formatVersion || bytes !== about.bytes || modifiedMs !== about.modifiedMs) {
    return undefined;
  }
  if (typeof fault === 'string' && typeof code === 'string') return { fault, code };
  const isSound =
    isPositive(durationMs) && isPositive(rateHz) && isPositive(channels) && isWaveform(waveform);
  if (!isSound) return undefined;
  const sound = { durationMs, rateHz, channels, waveform };
  if (loudnessLufs === undefined) return sound;
  return isNumber(loudnessLufs) ? { ...sound, loudnessLufs } : undefined;
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isPositive(value: unknown): value is number {
  return isNumber(value) && value > 0;
}

function isWaveform(value: unknown): value is readonly number[] {
  const isPeak = (peak: unknown) =>
    Number.isInteger(peak) && Math.abs(Number(peak)) <= waveformPeak;
  return Array.isArray(value) && value.length === 2 * waveformColumns && value.every(isPeak);
}
