import { expect, it } from 'vitest';
import { alsaHints } from '../../../../src/audio/sources/alsa-source.ts';
import { hintFor } from '../../../../src/audio/sources/program-source.ts';

// Of libasound by the addon, and of arecord, as they say it.
it.each([
  ['it cannot be opened: Device or resource busy', 'fuser'],
  ['arecord: main:831: audio open error: Device or resource busy', 'fuser'],
  ['it cannot be opened: Permission denied', 'usermod -a -G audio'],
  ['arecord: main:831: audio open error: Permission denied', 'usermod -a -G audio'],
  ['it cannot be opened: No such file or directory (Unknown PCM nope)', 'arecord -L'],
  ['it cannot be read any more: No such device', 'arecord -L'],
  ['arecord: main:831: audio open error: No such device', 'arecord -L'],
  ['it has not 2 channels: Invalid argument', 'plughw'],
  ['arecord: set_params:1352: Channels count non available', 'plughw'],
  ['it has no 24 bit: Invalid argument', 'plughw'],
  ['arecord: set_params:1347: Sample format non available', 'plughw'],
  ['it has no 44100 Hz: Invalid argument', 'sampleformat'],
  ['the device has no 44100 Hz', 'sampleformat'],
])('says what to do about "%s"', (line, remedy) => {
  expect(hintFor(['something else', line], alsaHints).hint).toContain(remedy);
});

it('says nothing about what it does not know', () => {
  expect(hintFor(['it hangs'], alsaHints)).toEqual({});
});
