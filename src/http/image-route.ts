import type { ImageStore } from '../streams/image-store.ts';
import { answer } from './answer.ts';
import type { Answerer } from './exchange.ts';
import type { OriginCheck } from './origin-check.ts';
import { notFound } from './refused-request-error.ts';

/** `GET /__image_cache?name=`: cover art. Pages show it without logging in. */
export function imageRoute(images: ImageStore, origins: OriginCheck): Answerer {
  return ({ request, response, target }) => {
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
  };
}
