import { Icon } from '../parts/icons.tsx';
import { Slider } from '../parts/slider.tsx';
import { texts } from '../text/texts.ts';
import { player } from './own-player.ts';

/** Listening in this browser, on every page of it. */
export function PlayerBar() {
  const { listen, client } = texts.value;
  const state = player.state.value;
  const failure = player.failure.value;
  const { percent, muted } = player.volume.value;
  const isOn = state !== 'off' && state !== 'failed';
  return (
    <section class="player-bar" aria-label={listen.start}>
      <button
        type="button"
        class={isOn && state !== 'tapToHear' ? '' : 'main'}
        onClick={() => (isOn && state !== 'tapToHear' ? player.stop() : player.start())}
      >
        <Icon name={isOn ? 'pause' : 'headphones'} />
        {state === 'tapToHear' ? listen.states.tapToHear : isOn ? listen.stop : listen.start}
      </button>
      <div class="listening hint">
        <span class="cut" role="status">
          {state === 'failed' && failure && listen.failures[failure]}
          {state !== 'off' && state !== 'failed' && listen.states[state]}
        </span>
        {isOn && <Figures />}
      </div>
      {isOn && (
        <Slider
          label={listen.volume}
          value={percent}
          isMuted={muted}
          valueText={client.volumeValue(percent, muted)}
          onChange={(value) => player.setVolume({ percent: value, muted })}
        />
      )}
    </section>
  );
}

function Figures() {
  const { errorMs } = player.figures.value;
  const format = player.format.value;
  return (
    <span class="cut">
      {format} {errorMs !== undefined && `${errorMs.toFixed(1)} ms`}
    </span>
  );
}
