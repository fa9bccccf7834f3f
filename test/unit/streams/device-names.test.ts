import { describe, expect, it } from 'vitest';
import { checkDeviceName } from '../../../src/streams/sandbox.ts';

describe('the device of ALSA that a controller names', () => {
  it.each([
    'hw:0',
    'hw:0,1,0',
    'plughw:CARD=CODEC,DEV=0',
    'default',
    'sysdefault:CARD=PCH',
    'dsnoop:1',
    'line_in',
    'null',
  ])('may be %s', (device) => {
    expect(() => checkDeviceName(device)).not.toThrow();
  });

  it.each([
    "plug:{SLAVE={type file slave.pcm null file '| touch x' format raw}}",
    '{type file slave.pcm null file "| touch x" format raw}',
    'tee:null,x,raw',
    'tee:null,/etc/passwd,raw',
    'file:x,raw',
    "file:'| touch x',raw",
    'plug:tee',
    'shm:x,y',
    'oss:dsp',
    'hw:0;x',
    'hw:"0"',
    "hw:'0'",
    'hw:0 -v',
    'hw:0\n',
    '-v',
    '--help',
    '/dev/snd/pcmC0D0c',
    'hw:0,1,0,0',
    '',
  ])('may not be %j, by which files could be written or programs started', (device) => {
    expect(() => checkDeviceName(device)).toThrow('asound.conf');
  });
});
