/** Browsers let only pages that came by HTTPS, or from the same machine, listen. */
export const canRecord =
  globalThis.isSecureContext &&
  typeof MediaRecorder !== 'undefined' &&
  navigator.mediaDevices?.getUserMedia !== undefined;

/** One recording from the microphone, from `start` to `stop`. */
export class VoiceRecorder {
  readonly #stream: MediaStream;
  readonly #recorder: MediaRecorder;
  readonly #parts: Blob[] = [];

  /** Failure: rejects when the user does not allow it, or there is no microphone. */
  static async start(): Promise<VoiceRecorder> {
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    return new VoiceRecorder(await navigator.mediaDevices.getUserMedia({ audio }));
  }

  private constructor(stream: MediaStream) {
    this.#stream = stream;
    this.#recorder = new MediaRecorder(stream);
    this.#recorder.addEventListener('dataavailable', ({ data }) => this.#parts.push(data));
    this.#recorder.start(1000);
  }

  /** Lets go of the microphone, and resolves with what was said. */
  stop(): Promise<Blob> {
    return new Promise((resolve) => {
      const end = () => {
        for (const track of this.#stream.getTracks()) track.stop();
        resolve(new Blob(this.#parts, { type: this.#recorder.mimeType }));
      };
      // By itself it stops when the microphone is gone.
      if (this.#recorder.state === 'inactive') {
        end();
        return;
      }
      this.#recorder.addEventListener('stop', end);
      this.#recorder.stop();
    });
  }
}
