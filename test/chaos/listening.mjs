import { messageType, textAt } from './wire.mjs';

/**
 * What one connection of a player hears, held against the rules: settings first, then a codec
 * header, then chunks of that stream in their order.
 *
 * A strict listener accepts nothing else; one that is not strict may lose audio and be moved to
 * other streams, but never gets a wrong byte, and nothing twice. `onChunk(chunk, last)`, where there
 * is one, throws what else is wrong; `isExcused(timestampUs)` says whether audio before that may be
 * missing.
 */
export class Listening {
  chunks = 0;
  headers = 0;
  timeReplies = 0;
  isMuted = false;
  stream;
  #truths;
  #isStrict;
  #onChunk;
  #isExcused;
  #hasSettings = false;
  #last;

  constructor({ truths, isStrict, onChunk, isExcused = () => false }) {
    this.#truths = truths;
    this.#onChunk = onChunk;
    this.#isExcused = isExcused;
    this.#isStrict = isStrict;
  }

  /** Failure: throws what is wrong. */
  take(type, refersTo, body) {
    if (type === messageType.wireChunk) this.#takeChunk(body);
    else if (type === messageType.time) this.timeReplies += 1;
    else if (type === messageType.serverSettings) this.#takeSettings(refersTo, body);
    else if (type === messageType.codecHeader) this.#takeHeader(body);
    else throw new Error(`a message of type ${type}`);
  }

  #takeSettings(refersTo, body) {
    const settings = JSON.parse(textAt(body, 0).bytes.toString());
    for (const key of ['bufferMs', 'latency', 'muted', 'volume']) {
      if (settings[key] === undefined) throw new Error(`settings without ${key}`);
    }
    if (!this.#hasSettings && refersTo === 0) throw new Error('first settings answer no Hello');
    this.#hasSettings = true;
    this.isMuted = settings.muted;
  }

  #takeHeader(body) {
    if (!this.#hasSettings) throw new Error('a codec header before the settings');
    if (this.#isStrict && this.headers > 0) throw new Error('a codec header that nobody asked for');
    const codec = textAt(body, 0);
    this.stream = this.#truths.of(codec.bytes.toString(), textAt(body, codec.end).bytes);
    this.headers += 1;
    this.#last = undefined;
  }

  #takeChunk(body) {
    const { stream } = this;
    if (!stream) throw new Error('audio before the codec header');
    const timestampUs = body.readInt32LE(0) * 1_000_000 + body.readInt32LE(4);
    if (body.readUInt32LE(8) !== body.length - 12) throw new Error('a chunk of another length');
    const last = this.#last;
    if (last && timestampUs <= last.timestampUs) {
      throw new Error(`time runs backwards: ${timestampUs} after ${last.timestampUs}`);
    }
    const chunk = stream.enter(timestampUs, body.subarray(12));
    const fault = this.#isStrict && last ? stream.faultBetween(last, chunk) : undefined;
    if (fault && !this.#isExcused(timestampUs)) throw new Error(fault);
    this.#onChunk?.(chunk, last);
    this.#last = chunk;
    this.chunks += 1;
  }
}
