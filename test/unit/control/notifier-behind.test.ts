import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { maxUnreadBeforeStatus } from '../../../src/control/notifier.ts';
import { intervals, NotifierRig, told } from '../../support/notifier-rig.ts';
import { turn } from '../../support/waiting.ts';

let rig: NotifierRig;

beforeEach(() => {
  rig = new NotifierRig();
});

afterEach(() => rig.close());

describe('a receiver that has much to read', () => {
  /** Waits until those who are not behind have been told, and a little longer. */
  const settled = async () => {
    await rig.settle();
    await turn();
  };

  it('gets no further status before it has read that, and then only the newest', async () => {
    const { ann, bob } = rig;
    ann.queuedBytes = maxUnreadBeforeStatus + 1;
    for (const id of ['c1', 'c2', 'c3']) {
      rig.joins(id);
      await settled();
    }
    expect(ann.messages).toEqual([]);
    expect(bob.methods.length).toBeGreaterThanOrEqual(3);
    ann.queuedBytes = maxUnreadBeforeStatus;
    await told(ann, 1);
    expect(ann.lastStatus).toBe(bob.lastStatus);
    const told3 = bob.messages.length;
    await new Promise((resolve) => setTimeout(resolve, 3 * intervals.statusMs));
    expect([ann.messages.length, bob.messages.length]).toEqual([1, told3]);
  });

  it('hears of nothing that this status will be the first to tell of', async () => {
    const { ann, bob } = rig;
    ann.queuedBytes = maxUnreadBeforeStatus + 1;
    const client = rig.joins('c1');
    await settled();
    rig.rig.groups.setVolume(client, { percent: 7 });
    rig.pass();
    expect(ann.methods).toEqual([]);
    expect(bob.methods.at(-1)).toBe('Client.OnVolumeChanged');
    ann.queuedBytes = 0;
    await told(ann, 1);
    expect(ann.lastStatus).toContain('"percent":7');
  });

  it('is not burdened with more while a status is what it reads, but told in the end', async () => {
    const { ann, bob } = rig;
    const client = rig.known('c1');
    ann.queuedBytes = maxUnreadBeforeStatus + 1;
    rig.announce({ kind: 'client-volume', client });
    expect(ann.methods).toEqual(['Client.OnVolumeChanged']);
    ann.hasUnreadStatus = true;
    for (let count = 0; count < 100; count += 1) rig.announce({ kind: 'client-name', client });
    expect(ann.messages).toHaveLength(1);
    expect(bob.messages).toHaveLength(101);
    ann.queuedBytes = 0;
    await told(ann, 2);
    expect(ann.methods).toEqual(['Client.OnVolumeChanged', 'Server.OnUpdate']);
    expect(bob.messages).toHaveLength(101);
  });

  it('is not waited for when it is gone', async () => {
    const { ann } = rig;
    ann.queuedBytes = maxUnreadBeforeStatus + 1;
    rig.joins('c1');
    await settled();
    ann.isListening = false;
    await settled();
    ann.isListening = true;
    ann.queuedBytes = 0;
    await new Promise((resolve) => setTimeout(resolve, 3 * intervals.statusMs));
    expect(ann.messages).toEqual([]);
  });
});
