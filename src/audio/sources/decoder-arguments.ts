import type { SampleFormat } from '../sample-format.ts';

/** Where `ffmpeg` usually lies; it is also looked for by `PATH`. */
export const decoderProgram = '/usr/bin/ffmpeg';
/** What the decoder may allocate in one piece. */
const maxAllocationBytes = 64 * 1024 * 1024;
/**
 * What it may take the bytes for: sounds, and films with one. Playlists and the like are not here, as
 * they would have it open other files.
 */
const demuxers =
  'aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,iff,matroska,webm,mlp,mov,mp4,' +
  'm4a,3gp,3g2,mj2,mp3,mpc,mpc8,mpeg,mpegts,nistsphere,ogg,rm,shn,sox,tak,truehd,tta,voc,w64,wav,wv';

/** What is said to `ffmpeg` before the input that others have brought: it is to open nothing else. */
export function decoderArguments(protocols: 'file' | 'pipe' | 'http,https,tcp,tls,crypto,hls') {
  // Its segments are files of these kinds, too.
  const formats = protocols.includes('hls') ? `hls,${demuxers}` : demuxers;
  return [
    ...['-v', 'error', '-nostdin', '-max_alloc', `${maxAllocationBytes}`, '-threads', '1'],
    ...['-protocol_whitelist', protocols, '-format_whitelist', formats],
  ];
}

/** What makes `ffmpeg` write PCM as it is read here; 24 bit come in 3 bytes. */
export function pcmArguments({ rateHz, bits, channels }: SampleFormat): readonly string[] {
  const encoding = bits === 8 ? 's8' : `s${bits}le`;
  return ['-f', encoding, '-ar', `${rateHz}`, '-ac', `${channels}`];
}
