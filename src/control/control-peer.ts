/** One message to control peers, turned into bytes once for all of them. */
export class ControlMessage {
  readonly text: string;
  #line: Buffer | undefined;
  #bytes: Buffer | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /** For TCP: with the line ending that controllers wait for. */
  get line(): Buffer {
    this.#line ??= Buffer.from(`${this.text}\r\n`);
    return this.#line;
  }

  /** For WebSocket: the text alone. */
  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(this.text);
    return this.#bytes;
  }
}

export interface ControlPeerHandler {
  /** One request or batch. */
  onText(text: string): void;
  /** Called exactly once, with the reason in words. */
  onClose(reason: string): void;
}

/** The far end of a control session, over TCP or WebSocket. */
export interface ControlPeer {
  readonly transport: 'TCP' | 'WebSocket';
  readonly remoteAddress: string;
  /** Bytes that the peer has not taken yet. */
  readonly queuedBytes: number;
  /** Begins to read. */
  open(handler: ControlPeerHandler): void;
  send(message: ControlMessage): void;
  /** Stops and resumes reading, so that whoever asks faster than we answer waits. */
  pause(): void;
  resume(): void;
  close(reason: string): void;
}
