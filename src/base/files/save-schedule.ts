import { RestartableTimer } from '../time/restartable-timer.ts';

/** Decides when changes are saved: not each of them, but none too late. */
export class SaveSchedule {
  readonly #save: () => Promise<boolean>;
  readonly #quiet: RestartableTimer;
  readonly #latest: RestartableTimer;
  #isDirty = false;
  /** Its time has come, perhaps while a save was under way. */
  #isDue = false;
  /** The last save failed: until the next one, changes do not hasten it. */
  #isFailing = false;
  #isClosed = false;
  #saving: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor({
    save,
    quietMs,
    maxDelayMs,
  }: {
    /** Saves everything as it is now; false when that failed. Never called while it is at work. */
    readonly save: () => Promise<boolean>;
    /** Without a change for so long, it is saved. */
    readonly quietMs: number;
    /** However busy it is, a change waits no longer than this; and so does a repetition. */
    readonly maxDelayMs: number;
  }) {
    this.#save = save;
    this.#quiet = new RestartableTimer(quietMs, () => this.#onDue());
    this.#latest = new RestartableTimer(maxDelayMs, () => this.#onDue());
  }

  /** Something is to be saved. */
  changed(): void {
    if (this.#isClosed) return;
    if (!this.#isFailing) this.#quiet.restart();
    if (this.#isDirty) return;
    this.#isDirty = true;
    this.#latest.restart();
  }

  /** Saves what is left to be saved, once, and resolves then; later changes are ignored. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  async #finish(): Promise<void> {
    this.#stopTimers();
    await this.#saving;
    if (!this.#isDirty) return;
    this.#isDue = true;
    await this.#saveWhileDue();
  }

  #onDue(): void {
    this.#isDue = true;
    this.#saving ??= this.#saveWhileDue();
  }

  async #saveWhileDue(): Promise<void> {
    while (this.#isDue) {
      this.#stopTimers();
      this.#isDue = false;
      this.#isDirty = false;
      this.#isFailing = !(await this.#save());
      if (this.#isFailing) this.#tryAgainLater();
    }
    this.#saving = undefined;
  }

  #tryAgainLater(): void {
    this.#stopTimers();
    this.#isDirty = true;
    this.#isDue = false;
    if (!this.#isClosed) this.#latest.restart();
  }

  #stopTimers(): void {
    this.#quiet.stop();
    this.#latest.stop();
  }
}
