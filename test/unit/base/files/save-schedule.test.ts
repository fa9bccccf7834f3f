import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SaveSchedule } from '../../../../src/base/files/save-schedule.ts';
import { FakeTime } from '../../../support/fake-time.ts';
import { turn } from '../../../support/waiting.ts';

const quietMs = 20;
const maxDelayMs = 100;

let time: FakeTime;
beforeEach(() => {
  time = FakeTime.install();
});
afterEach(() => time.remove());

/** A schedule whose saves end when the test says so. */
class Saves {
  started = 0;
  atOnce = 0;
  readonly schedule = new SaveSchedule({ save: () => this.#save(), quietMs, maxDelayMs });
  #end: ((isSaved: boolean) => void) | undefined;

  async end(isSaved = true): Promise<void> {
    this.#end?.(isSaved);
    await turn();
  }

  async #save(): Promise<boolean> {
    this.started += 1;
    this.atOnce += 1;
    const isSaved = await new Promise<boolean>((resolve) => {
      this.#end = resolve;
    });
    this.atOnce -= 1;
    return isSaved;
  }
}

describe('a change', () => {
  it('is saved when nothing else has changed for a while', async () => {
    const saves = new Saves();
    saves.schedule.changed();
    await time.pass(quietMs - 1);
    saves.schedule.changed();
    await time.pass(quietMs - 1);
    expect(saves.started).toBe(0);
    await time.pass(1);
    expect(saves.started).toBe(1);
    await saves.end();
    await time.pass(2 * maxDelayMs);
    expect(saves.started).toBe(1);
    expect(time.timers).toBe(0);
  });

  it('waits no longer than the limit, however busy it is', async () => {
    const saves = new Saves();
    for (let ms = 0; ms < maxDelayMs; ms += 1) {
      expect(saves.started).toBe(0);
      saves.schedule.changed();
      await time.pass(1);
    }
    expect(saves.started).toBe(1);
    await saves.end();
    for (let ms = 0; ms < maxDelayMs; ms += 1) {
      expect(saves.started).toBe(1);
      saves.schedule.changed();
      await time.pass(1);
    }
    expect(saves.started).toBe(2);
    await saves.end();
  });

  it('during a save leads to another one, never to two at once', async () => {
    const saves = new Saves();
    saves.schedule.changed();
    await time.pass(quietMs);
    for (let ms = 0; ms < 2 * maxDelayMs; ms += 1) {
      saves.schedule.changed();
      await time.pass(1);
    }
    expect(saves).toMatchObject({ started: 1, atOnce: 1 });
    await saves.end();
    expect(saves).toMatchObject({ started: 2, atOnce: 1 });
    await saves.end();
    await time.pass(2 * maxDelayMs);
    expect(saves.started).toBe(2);
  });

  it('during a save that ends soon is saved when it is quiet again', async () => {
    const saves = new Saves();
    saves.schedule.changed();
    await time.pass(quietMs);
    saves.schedule.changed();
    await saves.end();
    await time.pass(quietMs - 1);
    expect(saves.started).toBe(1);
    await time.pass(1);
    expect(saves.started).toBe(2);
    await saves.end();
  });
});

describe('a save that failed', () => {
  it('is repeated after the long delay, with and without further changes', async () => {
    const saves = new Saves();
    saves.schedule.changed();
    await time.pass(quietMs);
    for (let attempt = 1; attempt < 4; attempt += 1) {
      await saves.end(false);
      if (attempt > 1) saves.schedule.changed();
      await time.pass(maxDelayMs - 1);
      expect(saves.started).toBe(attempt);
      await time.pass(1);
      expect(saves.started).toBe(attempt + 1);
    }
    await saves.end();
    saves.schedule.changed();
    await time.pass(quietMs);
    expect(saves.started).toBe(5);
    await saves.end();
  });

  it('is not repeated at once because something changed meanwhile', async () => {
    const saves = new Saves();
    saves.schedule.changed();
    await time.pass(quietMs);
    saves.schedule.changed();
    await time.pass(quietMs);
    await saves.end(false);
    await time.pass(maxDelayMs - 1);
    expect(saves.started).toBe(1);
    await time.pass(1);
    expect(saves.started).toBe(2);
    await saves.end();
  });
});

describe('closing', () => {
  /** Whether it is closed by now. */
  async function isClosed(closing: Promise<void>): Promise<boolean> {
    return Promise.race([closing.then(() => true), turn().then(() => false)]);
  }

  it('saves what has changed, and is done when that is saved', async () => {
    const saves = new Saves();
    saves.schedule.changed();
    const closing = saves.schedule.close();
    expect(await isClosed(closing)).toBe(false);
    expect(saves.started).toBe(1);
    await saves.end();
    expect(await isClosed(closing)).toBe(true);
    expect(time.timers).toBe(0);
  });

  it('saves nothing if nothing has changed, or afterwards', async () => {
    const saves = new Saves();
    expect(await isClosed(saves.schedule.close())).toBe(true);
    saves.schedule.changed();
    await time.pass(2 * maxDelayMs);
    expect(saves.started).toBe(0);
    expect(await isClosed(saves.schedule.close())).toBe(true);
  });

  it('waits for a save that is under way, and saves what it has missed', async () => {
    const saves = new Saves();
    saves.schedule.changed();
    await time.pass(quietMs);
    saves.schedule.changed();
    const closing = saves.schedule.close();
    expect(await isClosed(closing)).toBe(false);
    expect(saves).toMatchObject({ started: 1, atOnce: 1 });
    await saves.end();
    expect(saves).toMatchObject({ started: 2, atOnce: 1 });
    expect(await isClosed(saves.schedule.close())).toBe(false);
    await saves.end();
    expect(await isClosed(closing)).toBe(true);
    expect(saves.started).toBe(2);
  });

  it('tries once more after a failure, but not for ever', async () => {
    const saves = new Saves();
    saves.schedule.changed();
    await time.pass(quietMs);
    const closing = saves.schedule.close();
    await saves.end(false);
    expect(saves.started).toBe(2);
    await saves.end(false);
    expect(await isClosed(closing)).toBe(true);
    expect(saves.started).toBe(2);
    expect(time.timers).toBe(0);
  });
});
