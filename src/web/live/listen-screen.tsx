import '../style/live.css';
import { useEffect, useRef } from 'preact/hooks';
import { streamName } from '../control/names.ts';
import { house } from '../control/server.ts';
import { route } from '../page-route.ts';
import { AlignSteps } from '../parts/align-sheet.tsx';
import { Icon } from '../parts/icons.tsx';
import { NowPlaying } from '../parts/now-playing.tsx';
import { useModal } from '../parts/sheet.tsx';
import { Toasts } from '../parts/toasts.tsx';
import { player } from '../player/own-player.ts';
import { ListenButton, ListenState, OwnVolume } from '../player/player-bar.tsx';
import { isStill } from '../settings.ts';
import { texts } from '../text/texts.ts';
import { ChannelMeters, LevelMeters } from './level-meters.tsx';
import { numberText } from './level-text.ts';
import { drawErrors, drawSpectrum } from './listen-graphs.ts';
import { OwnLevels } from './own-levels.ts';

const maxErrors = 120;
const pictureMs = 40;
/** For who wants no motion. */
const calmPictureMs = 1000;
/** Pictures come when the screen wants them. */
const earlyMs = 8;

/** All of listening in this browser, on all of the screen. */
export function ListenScreen() {
  const dialog = useModal();
  const { live: words, close: closeText } = texts.value;
  return (
    <dialog ref={dialog} class="listen-screen" aria-label={words.listen.title} onClose={leave}>
      <header class="line">
        <h2 class="cut">{title()}</h2>
        <button type="button" class="quiet round end" aria-label={closeText} onClick={leave}>
          <Icon name="close" />
        </button>
      </header>
      <Playing />
      <div class="line">
        <ListenButton />
        <ListenState />
      </div>
      <div class="line volume">
        <OwnVolume />
      </div>
      <OwnMeters />
      <ErrorGraph />
      <Facts />
      <Offset />
      <Toasts />
    </dialog>
  );
}

/** To the place that it was opened from; going back does not open it again. */
function leave(): void {
  const { place, query } = route.peek();
  if (query.has('listen')) location.replace(`#/${place}`);
}

function ownStream() {
  const clientId = player.clientId.value;
  const groupId = house.groups.ids.value.find((id) =>
    house.groups.get(id)?.value.clientIds.includes(clientId ?? ''),
  );
  const streamId = house.groups.get(groupId ?? '')?.value.stream_id;
  return house.streams.get(streamId ?? '')?.value;
}

function title(): string {
  const stream = ownStream();
  return stream ? streamName(stream) : texts.value.listen.start;
}

function Playing() {
  const stream = ownStream();
  return stream ? <NowPlaying stream={stream} /> : null;
}

/** Level and spectrum of what this browser has decoded, as loud as it came. */
function OwnMeters() {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => (box.current ? showOwnMeters(box.current) : undefined), []);
  return (
    <div ref={box} class="own-meters">
      <LevelMeters name={texts.value.listen.thisBrowser} channels={2} />
      <div aria-hidden="true">
        <canvas class="spectrum" />
      </div>
    </div>
  );
}

/** Returns what ends it. */
function showOwnMeters(box: HTMLElement): () => void {
  const spectrum = box.querySelector<HTMLCanvasElement>('canvas.spectrum')!;
  const channels = new ChannelMeters(box, 2);
  const own = new OwnLevels();
  let drawnMs = 0;
  // Hidden pages get no pictures, by themselves.
  const draw = (nowMs: number) => {
    picture = requestAnimationFrame(draw);
    const everyMs = isStill.peek() ? calmPictureMs : pictureMs;
    if (nowMs - drawnMs < everyMs - earlyMs) return;
    drawnMs = nowMs;
    const sides = player.analysers;
    if (sides.length > 0) channels.take(own.levels(sides), nowMs * 1000);
    channels.draw();
    drawSpectrum(spectrum, own.spectrum(sides));
  };
  let picture = requestAnimationFrame(draw);
  return () => {
    cancelAnimationFrame(picture);
    channels.close();
    player.endAnalysis();
  };
}

function ErrorGraph() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { listen } = texts.value.live;
  const { errorMs } = player.figures.value;
  useEffect(() => {
    if (canvas.current) drawErrors(canvas.current, player.errorsMs, maxErrors);
  });
  return (
    <figure class="error-box">
      <figcaption class="hint">{listen.errorGraph}</figcaption>
      <canvas
        ref={canvas}
        class="error-graph"
        role="img"
        aria-label={listen.errorNow(ms(errorMs))}
      />
      <span class="hint">+5 ms</span>
      <span class="hint">−5 ms</span>
    </figure>
  );
}

function Facts() {
  const { listen } = texts.value.live;
  const { errorMs, outputLatencyMs, roundTripMs, resyncs, underruns } = player.figures.value;
  const facts: readonly (readonly [name: string, value: string])[] = [
    [listen.facts.codec, player.format.value || '–'],
    [listen.facts.buffer, `${player.bufferMs.value} ms`],
    [listen.facts.error, ms(errorMs)],
    [listen.facts.outputLatency, ms(outputLatencyMs)],
    [listen.facts.roundTrip, ms(roundTripMs)],
    [listen.facts.resyncs, `${resyncs}`],
    [listen.facts.underruns, `${underruns}`],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** How much earlier this device plays than it would by itself. */
function Offset() {
  const { live, listen } = texts.value;
  const { deviceName, outputLatencyMs } = player.figures.value;
  return (
    <fieldset>
      <legend>{live.listen.offset}</legend>
      <AlignSteps
        valueMs={player.offsetMs.value}
        onChange={(offsetMs) => player.setOffset(offsetMs)}
      />
      <p class="hint">
        {deviceName === undefined
          ? listen.forLatency(outputLatencyMs)
          : listen.forDevice(deviceName)}
      </p>
    </fieldset>
  );
}

function ms(value: number | undefined): string {
  return value === undefined ? '–' : numberText(value, 'ms');
}
