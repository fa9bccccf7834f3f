import { isUtf8 } from 'node:buffer';
import { cutText } from '../../../base/foreign-text.ts';

/** Metadata comes in units of so many bytes, behind one byte with their number. */
const unitBytes = 16;
const maxLength = 512;
/** What may stand behind a title, so that one with `';` in it does not end there. */
const nextKey = String.raw`\s*(?:Stream\w+|adw_ad|adId|durationMilliseconds|insertionType|metadata)=`;
const titlePattern = new RegExp(
  String.raw`StreamTitle='(.*?)(?:';(?=${nextKey}|\s*$)|'?\s*$)`,
  's',
);

/** What a station says that it plays. */
export interface IcyTitle {
  readonly artist?: string;
  readonly title?: string;
}

/**
 * Takes the metadata out of the audio of a station.
 *
 * Source: the answer header `icy-metaint` says after how many bytes of audio there is some.
 */
export class IcySplitter {
  readonly #intervalBytes: number;
  readonly #onTitle: (title: IcyTitle) => void;
  #audioBytes = 0;
  /** What of the metadata has come, and how much that is to be: none yet, not even its length. */
  #metadata: Buffer[] = [];
  #missingBytes: number | undefined;

  /** `onTitle` is called between the pieces of audio that come before and behind the metadata. */
  constructor(intervalBytes: number, onTitle: (title: IcyTitle) => void) {
    this.#intervalBytes = intervalBytes;
    this.#onTitle = onTitle;
  }

  /** The audio in these bytes, in order. */
  *split(bytes: Buffer): Generator<Buffer> {
    let at = 0;
    while (at < bytes.length) {
      const audioBytes = Math.min(this.#intervalBytes - this.#audioBytes, bytes.length - at);
      if (audioBytes > 0) {
        yield bytes.subarray(at, at + audioBytes);
        this.#audioBytes += audioBytes;
        at += audioBytes;
      } else at = this.#takeMetadata(bytes, at);
    }
  }

  /** Returns where it went on to. */
  #takeMetadata(bytes: Buffer, at: number): number {
    if (this.#missingBytes === undefined) {
      this.#missingBytes = (bytes[at] ?? 0) * unitBytes;
      this.#endMetadata();
      return at + 1;
    }
    const part = bytes.subarray(at, at + this.#missingBytes);
    this.#metadata.push(part);
    this.#missingBytes -= part.length;
    this.#endMetadata();
    return at + part.length;
  }

  #endMetadata(): void {
    if (this.#missingBytes !== 0) return;
    const title = titleIn(textOf(Buffer.concat(this.#metadata)));
    this.#metadata = [];
    this.#missingBytes = undefined;
    this.#audioBytes = 0;
    if (title) this.#onTitle(title);
  }
}

/** UTF-8 where it is, else Latin-1, without padding and control characters. */
export function textOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString(isUtf8(bytes) ? 'utf8' : 'latin1');
  return text.replace(/\0+$/, '').replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
}

/** `undefined` when the metadata says nothing of a title. */
function titleIn(metadata: string): IcyTitle | undefined {
  const [, found] = titlePattern.exec(metadata) ?? [];
  if (found === undefined) return undefined;
  const whole = cutText(found.trim(), maxLength);
  if (whole === '') return {};
  const dash = whole.indexOf(' - ');
  if (dash < 0) return { title: whole };
  const [artist, title] = [whole.slice(0, dash).trim(), whole.slice(dash + 3).trim()];
  return { ...(artist && { artist }), ...(title && { title }) };
}
