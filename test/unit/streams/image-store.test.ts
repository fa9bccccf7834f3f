import { describe, expect, it } from 'vitest';
import { ImageStore } from '../../../src/streams/image-store.ts';

const red = { bytes: Buffer.from('red'), extension: 'png' };
const blue = { bytes: Buffer.from('blue'), extension: 'jpg' };

describe('the image store', () => {
  it('keeps an image under a name with its ending', () => {
    const store = new ImageStore();
    const name = store.put('A', red);
    expect(name).toMatch(/^[0-9a-f]{32}\.png$/);
    expect(store.get(name)).toEqual({ bytes: red.bytes, contentType: 'image/png' });
    expect(store.get('other.png')).toBeUndefined();
  });

  it('drops the image of a stream when another one comes', () => {
    const store = new ImageStore();
    const first = store.put('A', red);
    const other = store.put('B', red);
    const second = store.put('A', blue);
    expect(store.get(first)).toBeUndefined();
    expect(store.get(second)?.bytes).toBe(blue.bytes);
    expect(store.get(other)?.bytes).toBe(red.bytes);
  });

  it('gives the same image the same name, and every stream its own', () => {
    const store = new ImageStore();
    const name = store.put('A', red);
    expect(store.put('A', { ...red, bytes: Buffer.from('red') })).toBe(name);
    expect(store.get(name)).toBeDefined();
    expect(store.put('B', red)).not.toBe(name);
    expect(store.put('Are', { ...red, bytes: Buffer.from('d') })).not.toBe(
      store.put('A', { ...red, bytes: Buffer.from('red') }),
    );
  });

  it('forgets the image of a removed stream only', () => {
    const store = new ImageStore();
    const gone = store.put('A', red);
    const kept = store.put('B', red);
    store.remove('A');
    store.remove('A');
    store.remove('never there');
    expect(store.get(gone)).toBeUndefined();
    expect(store.get(kept)).toBeDefined();
    expect(store.get(store.put('A', red))).toBeDefined();
  });

  it.each([
    ['JPG', 'jpg', 'image/jpeg'],
    ['.jpeg', 'jpeg', 'image/jpeg'],
    ['webp', 'webp', 'image/webp'],
    ['svg', 'svg', 'image/svg+xml'],
    ['ico', 'ico', 'image/vnd.microsoft.icon'],
    ['tiff', 'tiff', 'image/tiff'],
    ['html', 'bin', 'application/octet-stream'],
    ['', 'bin', 'application/octet-stream'],
    ['png/../../x', 'bin', 'application/octet-stream'],
    ['constructor', 'bin', 'application/octet-stream'],
  ])('takes the extension %j for %s, %s', (extension, ending, contentType) => {
    const store = new ImageStore();
    const name = store.put('A', { bytes: red.bytes, extension });
    expect(name.split('.').slice(1)).toEqual([ending]);
    expect(store.get(name)?.contentType).toBe(contentType);
  });
});
