import { isAc3, isMpegAudio } from './framed-audio.ts';

/** What may be done with a file that is no PCM. */
type FileUse = 'decode' | 'unpack' | 'playlist' | 'nothing';

/** What a file is that is neither raw PCM nor a WAV file. */
export interface FileKind {
  /** Completes the sentence "it is …". */
  readonly name: string;
  readonly use: FileUse;
}

/** Enough for three frames of MPEG audio, and for a text to show that it is one. */
export const kindHeadBytes = 8192;

type Part = readonly [offset: number, latin1: string];

/**
 * Marks of at least four bytes: raw PCM has no mark of its own and must not be taken for something
 * else by chance. Shorter ones are confirmed by `checks`.
 * Source: the specifications of the formats; IANA media types.
 */
const marks: readonly (readonly [name: string, use: FileUse, ...parts: Part[]])[] = [
  ['a FLAC file', 'decode', [0, 'fLaC']],
  ['an Ogg file (Vorbis, Opus or FLAC)', 'decode', [0, 'OggS\0']],
  ['an AIFF file', 'decode', [0, 'FORM'], [8, 'AIFF']],
  ['an AIFF-C file', 'decode', [0, 'FORM'], [8, 'AIFC']],
  ['an 8SVX file', 'decode', [0, 'FORM'], [8, '8SVX']],
  ['a Wave64 file', 'decode', [0, 'riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb']],
  ['a CAF file', 'decode', [0, 'caff\0\x01']],
  ['an AU file', 'decode', [0, '.snd\0\0']],
  ['an MP4 file (M4A, AAC or ALAC)', 'decode', [4, 'ftyp']],
  ['a QuickTime file', 'decode', [4, 'moov']],
  ['a QuickTime file', 'decode', [4, 'mdat']],
  ['an ASF file (WMA)', 'decode', [0, '\x30\x26\xb2\x75\x8e\x66\xcf\x11']],
  ['a Matroska or WebM file', 'decode', [0, '\x1a\x45\xdf\xa3']],
  ['an AVI file', 'decode', [0, 'RIFF'], [8, 'AVI ']],
  ['a CD track file', 'nothing', [0, 'RIFF'], [8, 'CDDA']],
  ['a MIDI file', 'nothing', [0, 'RIFF'], [8, 'RMID']],
  ['a MIDI file', 'nothing', [0, 'MThd\0\0\0\x06']],
  ['a WebP image', 'nothing', [0, 'RIFF'], [8, 'WEBP']],
  ['a Flash video', 'decode', [0, 'FLV\x01']],
  ['an MPEG program stream', 'decode', [0, '\0\0\x01\xba']],
  ['a WavPack file', 'decode', [0, 'wvpk']],
  ["a Monkey's Audio file", 'decode', [0, 'MAC ']],
  ['a Musepack file', 'decode', [0, 'MPCK']],
  ['a True Audio file', 'decode', [0, 'TTA1']],
  ['a TAK file', 'decode', [0, 'tBaK']],
  ['a DSF file', 'decode', [0, 'DSD '], [28, 'fmt ']],
  ['a DSDIFF file', 'decode', [0, 'FRM8'], [12, 'DSD ']],
  ['an AMR file', 'decode', [0, '#!AMR']],
  ['a RealMedia file', 'decode', [0, '.RMF']],
  ['a VOC file', 'decode', [0, 'Creative Voice File\x1a']],
  ['a Shorten file', 'decode', [0, 'ajkg']],
  ['a zip archive', 'unpack', [0, 'PK\x03\x04']],
  ['a bzip2 file', 'unpack', [0, 'BZh'], [4, '1AY&SY']],
  ['an xz file', 'unpack', [0, '\xfd7zXZ\0']],
  ['a zstd file', 'unpack', [0, '\x28\xb5\x2f\xfd']],
  ['a 7z archive', 'unpack', [0, '7z\xbc\xaf\x27\x1c']],
  ['a rar archive', 'unpack', [0, 'Rar!\x1a\x07']],
  ['a tar archive', 'unpack', [257, 'ustar']],
  ['a PDF document', 'nothing', [0, '%PDF-']],
  ['a PNG image', 'nothing', [0, '\x89PNG\r\n\x1a\n']],
  ['a JPEG image', 'nothing', [0, '\xff\xd8\xff'], [6, 'JFIF']],
  ['a JPEG image', 'nothing', [0, '\xff\xd8\xff'], [6, 'Exif']],
  ['a GIF image', 'nothing', [0, 'GIF8']],
  ['a DTS file', 'decode', [0, '\x7f\xfe\x80\x01']],
  ['a DTS-HD file', 'decode', [0, 'DTSHDHDR']],
  ['a TrueHD file', 'decode', [4, '\xf8\x72\x6f\xba']],
  ['an MLP file', 'decode', [4, '\xf8\x72\x6f\xbb']],
  ['an OptimFROG file', 'decode', [0, 'OFR ']],
  ['a file with an APE tag', 'decode', [0, 'APETAGEX']],
  ['a SoX file', 'decode', [0, '.SoX']],
  ['a SoX file', 'decode', [0, 'XoS.']],
  ['a NIST SPHERE file', 'decode', [0, 'NIST_1A\n']],
  ['a program', 'nothing', [0, '\x7fELF']],
  ['a RIFF file of an unknown form', 'nothing', [0, 'RIFF']],
  ['an IFF file of an unknown form', 'nothing', [0, 'FORM']],
];

const checks: readonly (readonly [name: string, use: FileUse, is: (head: Buffer) => boolean])[] = [
  ['an MP3 file', 'decode', hasId3Tag],
  ['an MP3 or AAC file', 'decode', isMpegAudio],
  ['an AC-3 file', 'decode', isAc3],
  ['an MPEG transport stream', 'decode', isTransportStream],
  ['a gzip file', 'unpack', isGzip],
];

/** How texts begin, in lower case. */
const textKinds: readonly (readonly [beginning: string, name: string, use: FileUse])[] = [
  ['#extm3u', 'a playlist (M3U)', 'playlist'],
  ['[playlist]', 'a playlist (PLS)', 'playlist'],
  ['http://', 'a list of addresses', 'playlist'],
  ['https://', 'a list of addresses', 'playlist'],
  ['<!doctype html', 'a web page (HTML)', 'nothing'],
  ['<html', 'a web page (HTML)', 'nothing'],
  ['<?xml', 'an XML file', 'nothing'],
];

/** What a file is that begins with `head`; `undefined` when it may be raw PCM. */
export function fileKindOf(head: Buffer): FileKind | undefined {
  const isAt = ([offset, mark]: Part) =>
    head.toString('latin1', offset, offset + mark.length) === mark;
  for (const [name, use, ...parts] of marks) if (parts.every(isAt)) return { name, use };
  for (const [name, use, is] of checks) if (is(head)) return { name, use };
  return textKindOf(head);
}

/** Source: id3.org, "ID3 tag version 2.4.0 - Main Structure", 3.1. */
function hasId3Tag(head: Buffer): boolean {
  const [major = 0, revision = 0xff, , ...size] = head.subarray(3, 10);
  const isVersion = major >= 2 && major <= 4 && revision < 0xff;
  return head.toString('latin1', 0, 3) === 'ID3' && isVersion && size.every((byte) => byte < 0x80);
}

/** Source: RFC 1952, 2.3.1: method 8, five flags, two extra flags, known systems. */
function isGzip(head: Buffer): boolean {
  const [first, second, method, flags = 0xff, , , , , extra = 0xff, system = 0xfe] = head;
  const isMarked = first === 0x1f && second === 0x8b && method === 8;
  return isMarked && flags < 0x20 && [0, 2, 4].includes(extra) && (system <= 13 || system === 0xff);
}

/** Source: ISO/IEC 13818-1, 2.4.3.2. */
function isTransportStream(head: Buffer): boolean {
  const packets = [0, 188, 376, 564, 752];
  return packets.every((at) => head[at] === 0x47) && head[1] !== 0x47;
}

function textKindOf(head: Buffer): FileKind | undefined {
  // Half a character at the end is left out.
  const text = new TextDecoder().decode(head, { stream: true }).trim();
  const start = text.slice(0, 20).toLowerCase();
  const known = textKinds.find(([beginning]) => start.startsWith(beginning));
  if (known) return { name: known[1], use: known[2] };
  return isText(text) ? { name: 'a text', use: 'nothing' } : undefined;
}

/**
 * Nothing but characters in several words or lines: no audio is that, as its samples of 8 or of 16
 * bits would all be positive.
 */
function isText(text: string): boolean {
  return /\s/.test(text) && !/(?![\t\n\f\r])\p{Cc}|\ufffd/u.test(text);
}
