import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import type { LogFields } from '../../../src/base/logger.ts';
import type { NativeAddonResult } from '../../../src/base/native/native-addon.ts';
import { NativeFanOut, type ZeroCopyOptions } from '../../../src/transport/native-fan-out.ts';
import { NodeFanOut } from '../../../src/transport/node-fan-out.ts';
import { openFanOut } from '../../../src/transport/open-fan-out.ts';
import { LogLines } from '../../support/log-lines.ts';
import { sendingAddon } from '../../support/native.ts';

const zeroCopy: ZeroCopyOptions = { minBytes: 1000, mode: 'adaptive' };

let pool: ChunkPool;
let log: LogLines;

beforeEach(() => {
  pool = new ChunkPool();
  log = new LogLines();
});

afterEach(() => pool.close());

async function open(native: NativeAddonResult, wanted?: ZeroCopyOptions) {
  const fanOut = openFanOut({ pool, native, zeroCopy: wanted, logger: log });
  await fanOut.close();
  return fanOut;
}

function said(): string[] {
  return log.lines.map(({ level, phrase, fields }) =>
    [level, phrase, ...reasonOf(fields)].join(' '),
  );
}

function reasonOf({ reason }: LogFields): string[] {
  return reason === undefined ? [] : [`(${reason})`];
}

describe('openFanOut', () => {
  it('takes the native fan-out where it can, and says whether zero-copy is asked for', async () => {
    const fanOut = await open({ addon: sendingAddon() });
    expect(fanOut).toBeInstanceOf(NativeFanOut);
    expect(fanOut.wantedSendBytes).toBe(0);
    expect(said()).toEqual(['info ZeroCopy setting: disabled']);
  });

  it('lets sends grow to the size from which zero-copy pays', async () => {
    const fanOut = await open({ addon: sendingAddon() }, zeroCopy);
    expect(fanOut.wantedSendBytes).toBe(1000);
    expect(said()).toEqual(['info ZeroCopy setting: enabled']);
  });

  it('falls back to JavaScript without the addon, and gives the reason in one line', async () => {
    const fanOut = await open({ reason: 'it is not built' }, zeroCopy);
    expect(fanOut).toBeInstanceOf(NodeFanOut);
    expect(said().slice(1)).toEqual([
      'notice no native addon, the JavaScript path is used (it is not built)',
    ]);
  });

  it('falls back to JavaScript when the addon cannot send on this system', async () => {
    const { version, allocateSlab, releaseSlab, isPageAligned, addressOf } = sendingAddon();
    const fanOut = await open({
      addon: { version, allocateSlab, releaseSlab, isPageAligned, addressOf },
    });
    expect(fanOut).toBeInstanceOf(NodeFanOut);
    expect(said().slice(1)).toEqual([
      'notice audio is sent by the JavaScript path (native sending is for Linux only)',
    ]);
  });

  it('sends plainly when the system refuses zero-copy', async () => {
    const addon = { ...sendingAddon(), zeroCopyRefusal: () => 'Protocol not available' };
    const fanOut = await open({ addon }, zeroCopy);
    expect(fanOut).toBeInstanceOf(NativeFanOut);
    expect(fanOut.wantedSendBytes).toBe(0);
    expect(said().slice(1)).toEqual([
      'notice no zero-copy on this system, audio is sent plainly (Protocol not available)',
    ]);
  });
});
