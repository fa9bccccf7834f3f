import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ChunkPool } from '../../../../src/audio/chunk-pool.ts';
import {
  loadAddonFrom,
  loadFirstOf,
  loadNativeAddon,
  nativeCounters,
} from '../../../../src/base/native/native-addon.ts';
import { packageVersion } from '../../../../src/base/version.ts';
import { status } from '../../../../src/transport/fan-out-buffers.ts';

const { EBADF, EINVAL } = constants.errno;

const result = loadNativeAddon({});
const addon = 'addon' in result ? result.addon : undefined;
const mayBeMissing = !process.env.CI;

function reasonOf(loaded: ReturnType<typeof loadNativeAddon>): string {
  return 'reason' in loaded ? loaded.reason : 'it was loaded';
}

describe('loading the native addon', () => {
  it('finds the built addon', (context) => {
    if (!addon && mayBeMissing) context.skip(reasonOf(result));
    expect(result).toEqual({ addon: expect.anything() });
  });

  it('can be switched off by the environment', () => {
    expect(reasonOf(loadNativeAddon({ ZEROCAST_NATIVE: 'off' }))).toMatch(/switched off/);
  });

  it('says how to build an addon that is missing', () => {
    expect(reasonOf(loadAddonFrom('../../build/nowhere/zerocast.node'))).toMatch(
      /not built: run .*install-addon/,
    );
  });

  it('says in one line why a broken file cannot be loaded', () => {
    const folder = mkdtempSync(join(tmpdir(), 'zerocast-addon-'));
    try {
      const broken = join(folder, 'zerocast.node');
      writeFileSync(broken, 'no shared object');
      expect(reasonOf(loadAddonFrom(broken))).toMatch(/^it cannot be loaded: [^\n]+$/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('refuses an addon of another version', () => {
    const folder = mkdtempSync(join(tmpdir(), 'zerocast-addon-'));
    try {
      const other = join(folder, 'other.cjs');
      const functions = ['allocateSlab', 'releaseSlab', 'isPageAligned', 'addressOf'];
      const text = functions.map((name) => `exports.${name} = () => 0;`).join('');
      writeFileSync(other, `${text}exports.version = '0.0.9';`);
      expect(reasonOf(loadAddonFrom(other))).toMatch(/another version: 0\.0\.9 instead of \d/);
      writeFileSync(join(folder, 'older.cjs'), text);
      expect(reasonOf(loadAddonFrom(join(folder, 'older.cjs')))).toMatch(/an older one instead of/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('takes the first file that can be used, and tells of all that cannot', () => {
    const folder = mkdtempSync(join(tmpdir(), 'zerocast-addon-'));
    try {
      const [broken, bare, missing] = ['broken.node', 'bare.cjs', 'missing.node'].map((name) =>
        join(folder, name),
      ) as [string, string, string];
      writeFileSync(broken, 'no shared object');
      writeFileSync(bare, '');
      expect(reasonOf(loadFirstOf([missing, missing]))).toMatch(/^it is not built: run/);
      expect(reasonOf(loadFirstOf([missing, broken, bare]))).toMatch(
        /^it cannot be loaded: .*; it was built from another version: it has no allocateSlab$/,
      );
      const good = join(folder, 'good.cjs');
      const functions = ['allocateSlab', 'releaseSlab', 'isPageAligned', 'addressOf'];
      const text = functions.map((name) => `exports.${name} = () => 0;`).join('');
      writeFileSync(good, `${text}exports.version = ${JSON.stringify(packageVersion)};`);
      expect(loadFirstOf([broken, good])).toEqual({ addon: expect.anything() });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('refuses an addon that lacks a function', () => {
    const folder = mkdtempSync(join(tmpdir(), 'zerocast-addon-'));
    try {
      const other = join(folder, 'other.cjs');
      writeFileSync(other, 'exports.allocateSlab = () => new ArrayBuffer(1);');
      expect(reasonOf(loadAddonFrom(other))).toMatch(/another version: it has no releaseSlab/);
      for (const [index, nothing] of ['null', 'undefined', '7'].entries()) {
        const path = join(folder, `nothing${index}.cjs`);
        writeFileSync(path, `module.exports = ${nothing};`);
        expect(reasonOf(loadAddonFrom(path))).toMatch(/another version: it has no allocateSlab/);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe.skipIf(!addon && mayBeMissing)('slabs of the native addon', () => {
  it('begin at a page and are zero and writable', () => {
    const slabs = [1, 4096, 65_536, 1_000_000].map((bytes) => {
      const memory = addon!.allocateSlab(bytes);
      expect(memory.byteLength).toBe(bytes);
      expect(addon!.isPageAligned(memory)).toBe(true);
      return new Uint8Array(memory);
    });
    for (const slab of slabs) {
      expect(slab.every((byte) => byte === 0)).toBe(true);
      slab.fill(0xa5);
      expect(slab.at(-1)).toBe(0xa5);
    }
  });

  it('tell page-aligned memory from other memory', () => {
    // Several heap buffers at once cannot all lie at the beginning of a page.
    const heap = Array.from({ length: 16 }, () => new ArrayBuffer(64));
    expect(heap.every((memory) => addon!.isPageAligned(memory))).toBe(false);
  });

  it.each([undefined, '4096', Number.NaN, 0, -1, 1.5, 2 ** 30 + 1, Number.POSITIVE_INFINITY])(
    'refuse %s as their size',
    (bytes) => {
      // The addon must stand wrong arguments, whatever the compiler thinks of them.
      expect(() => addon!.allocateSlab(bytes as number)).toThrow(/allocateSlab needs/);
    },
  );

  it('answer only for an ArrayBuffer', () => {
    const wrong = Buffer.alloc(1) as unknown as ArrayBuffer;
    expect(() => addon!.isPageAligned(wrong)).toThrow(/needs an ArrayBuffer/);
  });

  it('carry the chunks of a pool', () => {
    const slabs: ArrayBuffer[] = [];
    const pool = new ChunkPool({
      verifySeals: true,
      allocate: (bytes) => {
        const slab = addon!.allocateSlab(bytes);
        slabs.push(slab);
        return slab;
      },
    });
    const chunks = Array.from({ length: 40 }, () => pool.acquire(3840, 'the test'));
    expect(slabs.length).toBeGreaterThan(1);
    for (const [index, chunk] of chunks.entries()) {
      expect(slabs).toContain(chunk.writable.buffer);
      chunk.writable.fill(index);
      chunk.payloadBytes = 3840;
      chunk.seal({ timestampUs: index * 20_000, durationUs: 20_000 });
    }
    for (const [index, chunk] of chunks.entries()) {
      expect(chunk.payload.every((byte) => byte === index)).toBe(true);
      chunk.release();
    }
    expect(pool.isFull).toBe(true);
    pool.close();
  });
});

describe.skipIf(!addon && mayBeMissing)('what the native addon took', () => {
  const script = fileURLToPath(new URL('../../../support/addon-in-worker.mjs', import.meta.url));

  function run(scene: string): { exitCode: number | null; output: string } {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', script, scene], {
      encoding: 'utf8',
    });
    return { exitCode: status, output: stdout + stderr };
  }

  it('goes back to the system', () => {
    expect(run('collect')).toEqual({ exitCode: 0, output: '' });
  });

  it('weighs enough for the collector to act by itself', () => {
    expect(run('pressure')).toEqual({ exitCode: 0, output: '' });
  });

  it('is freed when a worker thread that loaded the addon ends', () => {
    expect(run('worker')).toEqual({ exitCode: 0, output: '' });
  });

  it('is freed with the flac encoders of such a thread', () => {
    expect(run('flacEncoders')).toEqual({ exitCode: 0, output: '' });
  });

  it.skipIf(!addon?.FanOut && mayBeMissing).each(['fanOuts', 'acceptors'])(
    'is left behind by none of the %s of such a thread',
    (scene) => {
      expect(run(scene)).toEqual({ exitCode: 0, output: '' });
    },
  );

  it.skipIf(!addon?.FanOut && mayBeMissing)('keeps a process that accepts', () => {
    expect(run('acceptorAlone')).toEqual({ exitCode: 0, output: '' });
  });
});

describe.skipIf(!addon?.FanOut && mayBeMissing)('the fan-out of the native addon', () => {
  function open() {
    if (!addon?.FanOut) throw new Error('the addon is needed here');
    const rules = { zeroCopy: false, minBytes: 0, always: false };
    const fanOut = new addon.FanOut({ ...rules, onReleased: () => {}, onPlayer: () => {} });
    onTestFinished(() => fanOut.close());
    return fanOut;
  }

  function shareBuffers(fanOut: ReturnType<typeof open>) {
    const buffers = someBuffers();
    fanOut.useBuffers(buffers);
    return buffers;
  }

  function someBuffers() {
    return {
      addresses: new Float64Array(2),
      sizes: new Uint32Array(4),
      handles: new Uint32Array(2),
      orders: new Int32Array(6),
      outcomes: new Int32Array(6).fill(-1),
      released: new Uint32Array(8),
      counters: new Float64Array(nativeCounters.length),
    };
  }

  it('refuses a call that its buffers have no room for', () => {
    const fanOut = open();
    expect(() => fanOut.deliver(0, 0, 1000)).toThrow(/useBuffers/);
    shareBuffers(fanOut);
    expect(fanOut.deliver(2, 2, 1000)).toBe(2);
    expect(() => fanOut.deliver(3, 0, 1000)).toThrow(/useBuffers/);
    expect(() => fanOut.deliver(0, 3, 1000)).toThrow(/useBuffers/);
  });

  it.each([
    [{ addresses: new Float64Array(1) }],
    [{ sizes: new Uint32Array(3) }],
    [{ handles: new Uint32Array(3) }],
    [{ orders: new Int32Array(9) }],
    [{ orders: new Int32Array(7), outcomes: new Int32Array(7) }],
    [{ outcomes: new Int32Array(3) }],
    [{ released: new Uint32Array(0) }],
    [{ counters: new Float64Array(nativeCounters.length - 1) }],
    [{ addresses: new Uint32Array(2) }],
    [{ orders: new Float64Array(6) }],
    [{ counters: undefined }],
    [{ handles: Buffer.alloc(8) }],
  ])('refuses buffers that do not fit together: %j', (wrong) => {
    const fanOut = open();
    const buffers = { ...someBuffers(), ...wrong } as ReturnType<typeof someBuffers>;
    expect(() => fanOut.useBuffers(buffers)).toThrow(/useBuffers needs arrays/);
    // None of them was taken.
    expect(() => fanOut.deliver(0, 0, 1000)).toThrow(/useBuffers/);
    expect(() => fanOut.takeReleased()).toThrow(/useBuffers/);
    expect(() => fanOut.takeCounters(0)).toThrow(/useBuffers/);
    shareBuffers(fanOut);
    expect(fanOut.takeReleased()).toBe(0);
  });

  it('fails the orders of sockets that it does not have, and of chunks outside of the window', () => {
    const fanOut = open();
    const { orders, outcomes } = shareBuffers(fanOut);
    orders.set([0, 0, 1, -1, 0, 1]);
    fanOut.deliver(1, 2, 1000);
    expect([...outcomes]).toEqual([status.failed, 0, EINVAL, status.failed, 0, EINVAL]);
  });

  it('says why a descriptor cannot be taken in', () => {
    const fanOut = open();
    expect(fanOut.add(1_000_000, new Int32Array(new SharedArrayBuffer(4)), false)).toBe(-EBADF);
    // @ts-expect-error what JavaScript may do
    expect(() => fanOut.add('0')).toThrow(TypeError);
  });
});
