import { createHash } from 'node:crypto';

/** Larger images are refused where they come from outside. */
export const maxImageBytes = 4 * 1024 * 1024;

interface Image {
  readonly bytes: Buffer;
  readonly contentType: string;
}

/** Whatever else a script calls an image goes out as bytes that no browser interprets. */
const contentTypes: ReadonlyMap<string, string> = new Map([
  ['avif', 'image/avif'],
  ['bmp', 'image/bmp'],
  ['gif', 'image/gif'],
  ['ico', 'image/vnd.microsoft.icon'],
  ['jpeg', 'image/jpeg'],
  ['jpg', 'image/jpeg'],
  ['png', 'image/png'],
  ['svg', 'image/svg+xml'],
  ['tif', 'image/tiff'],
  ['tiff', 'image/tiff'],
  ['webp', 'image/webp'],
]);
const unknownExtension = 'bin';
const unknownContentType = 'application/octet-stream';

/** Digits of the hash in a name: enough to be unique, as many as existing servers use. */
const hashDigits = 32;

/** Where controllers get the image of that name. Source: protocol reference, 16.6. */
export function imageAddress(prefix: string, name: string): string {
  return `${prefix.replace(/\/+$/, '')}/__image_cache?name=${name}`;
}

/** Cover art, one image per stream, in memory. Source: protocol reference, 16.6. */
export class ImageStore {
  readonly #images = new Map<string, Image>();
  readonly #names = new Map<string, string>();

  /**
   * Keeps the image of `streamId` in place of the one before; returns the name to ask for it,
   * which is another one for every image and stream.
   */
  put(
    streamId: string,
    { bytes, extension }: { readonly bytes: Buffer; readonly extension: string },
  ): string {
    const ending = extension.toLowerCase().replace(/^\./, '');
    const contentType = contentTypes.get(ending);
    const name = `${hashOf(streamId, bytes)}.${contentType ? ending : unknownExtension}`;
    if (this.#names.get(streamId) === name) return name;
    this.remove(streamId);
    this.#images.set(name, { bytes, contentType: contentType ?? unknownContentType });
    this.#names.set(streamId, name);
    return name;
  }

  get(name: string): Image | undefined {
    return this.#images.get(name);
  }

  /** Forgets the image of a stream; streams without one are fine. */
  remove(streamId: string): void {
    this.#images.delete(this.#names.get(streamId) ?? '');
    this.#names.delete(streamId);
  }
}

/** The length in front keeps ids and images apart, so that no two streams share a name. */
function hashOf(streamId: string, bytes: Buffer): string {
  return createHash('sha256')
    .update(`${streamId.length}:${streamId}`)
    .update(bytes)
    .digest('hex')
    .slice(0, hashDigits);
}
