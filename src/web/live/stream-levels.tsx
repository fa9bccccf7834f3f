import '../style/live.css';
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { melOf } from '../../dsp/mel-scale.ts';
import type { MeterRecord } from '../../metering/meter-frame.ts';
import { texts } from '../text/texts.ts';
import { whenRecoloured } from './canvas-colours.ts';
import { ChannelMeters, LevelMeters } from './level-meters.tsx';
import { levelText } from './level-text.ts';
import { MelStrip } from './mel-strip.ts';
import { hasTruePeak, type MeterView, meteredStreams, watchMeters } from './meters.ts';
import { live } from './own-live.ts';
import { Paced } from './paced.ts';
import { PeakHold } from './peak-hold.ts';

interface StreamLevelsProps {
  readonly id: string;
  readonly name: string;
  /** Others the server does not read, as a rule. */
  readonly isHeard: boolean;
}

const figuresMs = 500;
const marksHz = [300, 1000, 3000, 10_000];
const figures = ['momentary', 'shortTerm', 'integrated', 'truePeak'] as const;
type Figure = (typeof figures)[number];

/** The levels of a stream, as they are heard; measured only while they are seen. */
export function StreamLevels({ id, name, isHeard }: StreamLevelsProps) {
  const box = useRef<HTMLDivElement>(null);
  const isMeasured = useSignal(false);
  const { channels = 2, rate = 48_000 } = meteredStreams.value.get(id) ?? {};
  const { live: words } = texts.value;
  useEffect(() => {
    if (!box.current) return undefined;
    const onLevels = () => {
      isMeasured.value = true;
    };
    return showWhileSeen(box.current, { id, channels, onLevels });
  }, [id, channels]);
  return (
    <div ref={box} class="levels">
      <LevelMeters name={name} channels={channels} />
      <div class="mel-box" aria-hidden="true">
        <canvas class="mel" />
        {marksHz.map((hz) => (
          <span key={hz} style={{ bottom: `${(100 * melOf(hz)) / melOf(rate / 2)}%` }}>
            {hz < 1000 ? hz : `${hz / 1000}k`}
          </span>
        ))}
      </div>
      <dl class="loudness">
        {figures.map((figure) => (
          <div key={figure} title={words.explained[figure]}>
            <dt>{words.loudness[figure]}</dt>
            <dd data-figure={figure}>–</dd>
          </div>
        ))}
      </dl>
      {!isHeard && !isMeasured.value && <p class="hint">{words.unheard}</p>}
    </div>
  );
}

/** What is to be known of all levels. */
export function LevelNotes() {
  const { live: words } = texts.value;
  if (live.isRefused.value) return <p class="hint">{words.refused}</p>;
  return hasTruePeak.value ? null : <p class="hint">{words.noTruePeak}</p>;
}

interface ShownLevels {
  /** Of the stream. */
  readonly id: string;
  readonly channels: number;
  /** They are measured. */
  readonly onLevels: () => void;
}

/** Returns what ends it. */
function showWhileSeen(box: HTMLElement, { id, channels, onLevels }: ShownLevels): () => void {
  const view = new LevelView(box, channels, onLevels);
  let unwatch: (() => void) | undefined;
  const seen = new IntersectionObserver((entries) => {
    unwatch?.();
    unwatch = entries.at(-1)?.isIntersecting ? watchMeters(id, view) : undefined;
  });
  seen.observe(box);
  return () => {
    seen.disconnect();
    unwatch?.();
    view.close();
  };
}

class LevelView implements MeterView {
  readonly #channels: ChannelMeters;
  readonly #strip: MelStrip;
  readonly #elements: ReadonlyMap<Figure, HTMLElement>;
  readonly #endRecolouring: () => void;
  readonly #written = new Paced(figuresMs, () => this.#write());
  readonly #truePeak = new PeakHold();
  readonly #onLevels: () => void;
  #truePeakDb = Number.NEGATIVE_INFINITY;
  #levels: MeterRecord['levels'];

  constructor(box: HTMLElement, channels: number, onLevels: () => void) {
    this.#onLevels = onLevels;
    this.#channels = new ChannelMeters(box, channels);
    this.#strip = new MelStrip(box.querySelector<HTMLCanvasElement>('canvas.mel')!);
    this.#elements = new Map(
      figures.map((figure) => [figure, box.querySelector<HTMLElement>(`[data-figure=${figure}]`)!]),
    );
    this.#endRecolouring = whenRecoloured(() => this.#strip.recolour());
  }

  take({ levels, mel, heardUs }: MeterRecord): void {
    if (mel) this.#strip.take(heardUs, mel);
    if (!levels) return;
    this.#levels = levels;
    this.#onLevels();
    this.#channels.take(levels, heardUs);
    const truePeakDb = Math.max(...Array.from(levels.truePeakDb));
    this.#truePeakDb = this.#truePeak.take(truePeakDb, heardUs / 1000);
  }

  draw(): void {
    this.#channels.draw();
    this.#strip.draw();
    this.#written.ask();
  }

  close(): void {
    this.#channels.close();
    this.#endRecolouring();
    this.#written.stop();
  }

  #write(): void {
    const levels = this.#levels;
    if (!levels) return;
    const values: Readonly<Record<Figure, string>> = {
      momentary: levelText(levels.momentaryLufs, 'LUFS'),
      shortTerm: levelText(levels.shortTermLufs, 'LUFS'),
      integrated: levelText(levels.integratedLufs, 'LUFS'),
      truePeak: levelText(this.#truePeakDb, 'dBTP'),
    };
    for (const [figure, element] of this.#elements) element.textContent = values[figure];
  }
}
