import type { ImageStore } from '../streams/image-store.ts';
import { answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { OriginCheck } from './origin-check.ts';
import { notFound } from './refused-request-error.ts';

interface ImageRouteOptions {
  readonly images: ImageStore;
  readonly origins: OriginCheck;
}

/** `GET /__image_cache?name=`: cover art. Pages show it without logging in. */
export class ImageRoute {
  readonly #options: ImageRouteOptions;

  constructor(options: ImageRouteOptions) {
    this.#options = options;
  }

  get({ request, response, target }: Exchange): void {
    const { images, origins } = this.#options;
    const image = images.get(new URLSearchParams(target.query).get('name') ?? '');
    if (!image) throw notFound(target.text);
    answer(response, 200, {
      body: image.bytes,
      type: image.contentType,
      headers: {
        // Another image has another name.
        'Cache-Control': 'public, max-age=31536000, immutable',
        // An SVG image opened by itself is a document with scripts.
        'Content-Security-Policy': "default-src 'none'",
        ...origins.headersFor(request),
      },
    });
  }
}
