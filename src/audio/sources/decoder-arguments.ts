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
export const decoderArguments: readonly string[] = [
  ...['-v', 'error', '-nostdin', '-max_alloc', `${maxAllocationBytes}`, '-threads', '1'],
  ...['-protocol_whitelist', 'file', '-format_whitelist', demuxers],
];
