import type { MeterLevels } from '../../metering/meter-frame.ts';
import { texts } from '../text/texts.ts';
import { whenRecoloured } from './canvas-colours.ts';
import { LevelBars, lowestDb } from './level-bars.ts';
import { levelText } from './level-text.ts';
import { Paced } from './paced.ts';

const numbersMs = 500;
/** Screen readers are not told more often. */
const metersMs = 1000;

interface LevelMetersProps {
  /** Of what is measured. */
  readonly name: string;
  readonly channels: number;
}

/** The places for the levels of each channel, which `ChannelMeters` fills. */
export function LevelMeters({ name, channels }: LevelMetersProps) {
  const { live: words } = texts.value;
  const names = Array.from({ length: channels }, (_, index) => words.channel(index, channels));
  return (
    <>
      <div class="bars-box" aria-hidden="true">
        <canvas class="bars" style={{ '--channels': channels }} />
        <div class="peaks">
          {names.map((channel) => (
            <span key={channel}>–</span>
          ))}
        </div>
      </div>
      {names.map((channel) => (
        <meter
          key={channel}
          class="unseen"
          aria-label={words.level(name, channel)}
          min={lowestDb}
          max={0}
          value={lowestDb}
        />
      ))}
    </>
  );
}

/** Shows levels of the moment: by bars at once, by numbers now and then. */
export class ChannelMeters {
  readonly #canvas: HTMLCanvasElement;
  readonly #bars: LevelBars;
  readonly #numbers: readonly HTMLElement[];
  readonly #meters: readonly HTMLMeterElement[];
  readonly #resized: ResizeObserver;
  readonly #endRecolouring: () => void;
  readonly #numbered = new Paced(numbersMs, () => this.#write());
  readonly #told = new Paced(metersMs, () => this.#tell());

  /** Shape: `box` has the `LevelMeters`. */
  constructor(box: HTMLElement, channels: number) {
    this.#canvas = box.querySelector<HTMLCanvasElement>('canvas.bars')!;
    this.#bars = new LevelBars(this.#canvas, channels);
    this.#numbers = [...box.querySelectorAll<HTMLElement>('.peaks span')];
    this.#meters = [...box.querySelectorAll('meter')];
    this.#resized = new ResizeObserver(() => this.#refresh());
    this.#resized.observe(this.#canvas);
    this.#endRecolouring = whenRecoloured(() => this.#refresh());
  }

  take(levels: MeterLevels, heardUs: number): void {
    this.#bars.take(levels, heardUs);
  }

  draw(): void {
    this.#bars.draw();
    this.#numbered.ask();
    this.#told.ask();
  }

  close(): void {
    this.#resized.disconnect();
    this.#endRecolouring();
    this.#numbered.stop();
    this.#told.stop();
  }

  #refresh(): void {
    this.#bars.refresh(this.#canvas.clientWidth, this.#canvas.clientHeight);
  }

  #write(): void {
    for (const [channel, element] of this.#numbers.entries()) {
      element.textContent = levelText(this.#bars.heldDb[channel]!, 'dB');
    }
  }

  #tell(): void {
    const { silence } = texts.peek().live;
    for (const [channel, meter] of this.#meters.entries()) {
      const db = this.#bars.heldDb[channel]!;
      meter.value = Math.max(lowestDb, Math.round(db));
      meter.setAttribute('aria-valuetext', db > lowestDb ? levelText(db, 'dB') : silence);
    }
  }
}
