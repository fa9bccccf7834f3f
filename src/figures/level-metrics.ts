import type { LevelFigure } from '../metering/level-figures.ts';
import type { Metric, Sample } from './metric.ts';

const loudnessWindows = {
  momentary: 'momentaryLufs',
  'short-term': 'shortTermLufs',
  integrated: 'integratedLufs',
} as const;

/** Of streams that are silent there are none. */
export function levelMetrics(levels: () => Promise<readonly LevelFigure[]>): Metric[] {
  const perStream = (name: 'peakDb' | 'truePeakDb') => async () =>
    (await levels()).flatMap(({ streamId: stream, [name]: value }) =>
      value === undefined ? [] : [{ labels: { stream }, value }],
    );
  return [
    {
      type: 'gauge',
      name: 'zerocast_stream_peak_dbfs',
      help: 'The highest sample of the last minute',
      labels: ['stream'],
      samples: perStream('peakDb'),
    },
    {
      type: 'gauge',
      name: 'zerocast_stream_true_peak_dbtp',
      help: 'The same between the samples, by ITU-R BS.1770-4',
      labels: ['stream'],
      samples: perStream('truePeakDb'),
    },
    {
      type: 'gauge',
      name: 'zerocast_stream_loudness_lufs',
      help: 'Loudness by EBU R128: the loudest 400 ms of the last minute, the last 3 s, and all since it is measured',
      labels: ['stream', 'window'],
      samples: async () => (await levels()).flatMap(loudnessOf),
    },
  ];
}

function loudnessOf(figure: LevelFigure): Sample[] {
  return Object.entries(loudnessWindows).flatMap(([window, name]) => {
    const value = figure[name];
    return value === undefined ? [] : [{ labels: { stream: figure.streamId, window }, value }];
  });
}
