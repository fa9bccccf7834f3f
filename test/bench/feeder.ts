import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenedFormat } from './formats.ts';
import { writeMusic } from './music.ts';
import type { StartContext } from './run-cases.ts';

/** As far ahead of what is due as a player program is, and in the pieces in which it writes. */
const leadMs = 40;
const pieceMs = 5;

/** A fifo that a server makes and reads, and what plays into it once the server is there. */
export interface Feed {
  /** The address of the stream. */
  readonly source: string;
  /** It ends with the server. */
  play(): void;
}

function bytesPerSec(sampleFormat: string): number {
  const [rateHz = 0, bits = 0, channels = 0] = sampleFormat.split(':').map(Number);
  // 24 bits travel in 4 bytes.
  return rateHz * channels * (bits > 16 ? 4 : 2);
}

export function createFeed({ sampleFormat }: OpenedFormat, context: StartContext): Feed {
  const { workDir, feeder, port } = context;
  const fifo = join(workDir, `fifo-${port}`);
  const music = join(workDir, 'fed-music.pcm');
  if (!existsSync(music)) writeMusic(music, 48_000);
  const args = [fifo, music, bytesPerSec(sampleFormat), leadMs, pieceMs].map(String);
  return {
    source: `pipe://${fifo}`,
    play: () => spawn(feeder, args, { stdio: ['ignore', 'inherit', 'inherit'] }).unref(),
  };
}
