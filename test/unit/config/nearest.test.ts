import { describe, expect, it } from 'vitest';
import { editDistance } from '../../../src/base/nearest-word.ts';
import { nearestOption, nearestSetting } from '../../../src/config/nearest.ts';

describe('the nearest name', () => {
  it('is the one with the fewest edits', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('', 'abc')).toBe(3);
    expect(editDistance('ABC', 'abc')).toBe(0);
    expect(nearestSetting('tcp_control', 'prot')).toMatchObject({
      section: 'tcp-control',
      key: 'port',
    });
    expect(nearestOption('--confg', ['--help', '--config'])).toBe('--config');
    expect(nearestOption('--buffer', ['--help', '--config'])).toBe('--stream.buffer');
  });

  it.each([
    ['http', 'mdns_enabled', 'server.mdns_enabled'],
    ['stream', 'datadir', 'server.datadir'],
    ['server', 'filter', 'logging.filter'],
    ['tcp-stream', 'Publish', 'tcp-streaming.publish'],
  ])('is the same key of another section, if there is one: [%s] %s', (section, key, name) => {
    const nearest = nearestSetting(section, key);
    expect(`${nearest.section}.${nearest.key}`).toBe(name);
  });

  it('costs little for a name without end', () => {
    expect(editDistance('x'.repeat(1_000_000), 'y')).toBe(64);
  });
});
