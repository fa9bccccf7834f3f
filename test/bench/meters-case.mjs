// Measures what it costs to watch and to tap a stream of 48 kHz stereo, by the addon and by TypeScript in turns:
//
//   node --import tsx meters-case.mjs ROUNDS WINDOW_MS
//
// Prints one JSON line: microseconds of processor time per second of audio, the best of all rounds.
import { ChunkPool } from '../../src/audio/chunk-pool.ts';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { loadNativeAddon } from '../../src/base/native/native-addon.ts';
import { openDsp } from '../../src/dsp/dsp.ts';
import { LevelMeter } from '../../src/metering/level-meter.ts';
import { MelMeter } from '../../src/metering/mel-meter.ts';
import { openMelFeed } from '../../src/taps/mel-feed.ts';
import { openPcmFeed } from '../../src/taps/pcm-feed.ts';

const [rounds, windowMs] = process.argv.slice(2).map(Number);
const native = loadNativeAddon();
if (!native.addon?.dsp) throw new Error(`no native addon: ${native.reason ?? 'it has no dsp'}`);

const format = SampleFormat.parse('48000:16:2');
const chunkFrames = 960;
const chunksPerSecond = format.rateHz / chunkFrames;
const pool = new ChunkPool({
  allocate: native.addon.allocateSlab,
  release: native.addon.releaseSlab,
});

/** Music is not silent, and a sine is as good as any. */
const chunk = pool.acquire(chunkFrames * format.frameBytes, 'test signal');
chunk.payloadBytes = chunkFrames * format.frameBytes;
for (let index = 0; index < 2 * chunkFrames; index += 1) {
  const sample = 8000 * Math.sin((2 * Math.PI * Math.floor(index / 2)) / 48);
  chunk.writable.writeInt16LE(Math.round(sample), 2 * index);
}

let heard = 0;
const stream = { format, options: { bufferMs: 1000 } };
const emit = (frame) => {
  heard += frame.payloadBytes;
  frame.release();
};
/** What a page shows. */
const onReading = ({ peakDb, momentaryLufs, shortTermLufs, integratedLufs }) => {
  heard += peakDb[0] + momentaryLufs + shortTermLufs + integratedLufs;
};

async function casesFor(dsp) {
  const context = { stream, pool, dsp, emit };
  const shared = { format, bufferMs: 1000, dsp };
  return {
    'levels and loudness': new LevelMeter({ ...shared, measuresTruePeak: true, onReading }),
    'the same without true peak': new LevelMeter({ ...shared, measuresTruePeak: false, onReading }),
    'mel for /live': new MelMeter({
      ...shared,
      onReading: ({ bandsDb }) => {
        heard += bandsDb[0];
      },
    }),
    'tap, PCM as it is': (await openPcmFeed({}, context)).observer,
    'tap, 16 kHz mono': (await openPcmFeed({ rateHz: 16_000, channels: 1 }, context)).observer,
    'tap, mel for speech': (await openMelFeed({ preset: 'speech' }, context)).observer,
    'tap, mel for display': (await openMelFeed({ preset: 'display' }, context)).observer,
  };
}

/** Microseconds per second of audio. */
function costOf(observer) {
  const start = process.cpuUsage();
  const startMs = performance.now();
  let seconds = 0;
  do {
    for (let index = 0; index < chunksPerSecond; index += 1) {
      const timestampUs = (seconds * chunksPerSecond + index) * 20_000;
      observer.take({ chunk, timestampUs, stretch: 1, startsRun: timestampUs === 0 });
    }
    seconds += 1;
  } while (performance.now() - startMs < windowMs);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / seconds;
}

const twins = {
  addon: await casesFor(await openDsp(native)),
  script: await casesFor(await openDsp({ reason: 'for comparison' })),
};
const best = {};
for (let round = 0; round <= rounds; round += 1) {
  for (const [twin, cases] of Object.entries(twins)) {
    for (const [name, observer] of Object.entries(cases)) {
      const us = costOf(observer);
      best[name] ??= { addon: Number.POSITIVE_INFINITY, script: Number.POSITIVE_INFINITY };
      // The first round is only to let V8 compile.
      if (round > 0) best[name][twin] = Math.min(best[name][twin], us);
    }
  }
}
if (Number.isNaN(heard)) throw new Error('nothing was heard');
chunk.release();
pool.close();
console.log(JSON.stringify(best));
