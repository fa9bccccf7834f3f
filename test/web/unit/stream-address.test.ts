import { describe, expect, it } from 'vitest';
import {
  addressOf,
  fieldIn,
  fieldsIn,
  kinds,
  usual,
} from '../../../src/web/streams/stream-address.ts';

describe('the address of a stream', () => {
  it.each([
    ['pipe', { path: '/tmp/fifo', name: 'Radio' }, 'pipe:///tmp/fifo?name=Radio'],
    ['tcp', { host: '0.0.0.0', port: '4953', name: 'Net' }, 'tcp://0.0.0.0:4953?name=Net'],
    ['tcp', { host: '::1', port: '4953', name: 'Net' }, 'tcp://[::1]:4953?name=Net'],
    ['tcp', { host: 'nas', port: '', name: 'Net' }, 'tcp://nas?name=Net'],
    [
      'process',
      { path: '/usr/bin/ffmpeg', params: '-i a&b -', name: 'Web radio' },
      'process:///usr/bin/ffmpeg?name=Web%20radio&params=-i%20a%26b%20-',
    ],
    ['file', { path: '/music/a b#?.wav', name: 'L' }, 'file:///music/a%20b%23%3F.wav?name=L'],
    ['tone', { freq: '440', name: 'T', path: '/left/over' }, 'tone://?name=T&freq=440'],
    [
      'pipe',
      { path: '/f', name: 'R', codec: 'opus', sampleformat: '48000:16:2' },
      'pipe:///f?name=R&codec=opus&sampleformat=48000%3A16%3A2',
    ],
  ] as const)('of kind %s is made of its parts', (kind, fields, address) => {
    expect(addressOf(kind, fields)).toBe(address);
  });

  it('says nothing of what is empty or of another kind', () => {
    expect(addressOf('pipe', { path: '/f', name: 'R', codec: '', port: '1', params: 'x' })).toBe(
      'pipe:///f?name=R',
    );
  });
});

describe('the address of a stream that is there', () => {
  const query = { name: 'R', codec: 'flac', chunk_ms: '40', controlscript: 'a b.py' };
  it.each([
    ['pipe', undefined, '/tmp/fifo'],
    ['tcp', '0.0.0.0:4953', ''],
    ['tcp', '[::1]:4953', ''],
    ['tcp', 'nas', ''],
  ] as const)('of kind %s at %s comes back with all that no form shows', (scheme, host, path) => {
    const fields = fieldsIn({ raw: '', scheme, path, query, ...(host && { host }) });
    expect(addressOf(scheme, fields)).toBe(
      `${scheme}://${host ?? ''}${path}?name=R&codec=flac&chunk_ms=40&controlscript=a%20b.py`,
    );
  });
});

describe('a refusal', () => {
  it('shows itself at the field that it names', () => {
    expect(fieldIn('invalid sampleformat "x"', 'pipe')).toBe('sampleformat');
    expect(fieldIn('the port 99999 is none', 'tcp')).toBe('port');
  });

  it('of no field of this kind is for all of the address', () => {
    expect(fieldIn('too many streams', 'pipe')).toBeUndefined();
    expect(fieldIn('the port is in use', 'pipe')).toBeUndefined();
  });
});

it('each kind has something to begin with', () => {
  for (const kind of kinds)
    expect(addressOf(kind, { ...usual[kind], name: 'N' })).toContain('name=N');
});
