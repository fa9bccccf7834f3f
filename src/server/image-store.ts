export interface Image {
  readonly bytes: Buffer;
  readonly contentType: string;
}

/** Cover art, one image per stream, in memory. Source: protocol reference, 16.6. */
export class ImageStore {
  /** Keeps the image of `streamId` in place of the one before; returns the name to ask for it. */
  put(_streamId: string, _image: { readonly bytes: Buffer; readonly extension: string }): string {
    throw new Error('to be written');
  }

  get(_name: string): Image | undefined {
    return undefined;
  }

  remove(_streamId: string): void {}
}
