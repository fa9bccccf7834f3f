import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { nameClient } from '../control/actions.ts';
import { house } from '../control/server.ts';
import { remember, remembered } from '../own-memory.ts';
import { route } from '../page-route.ts';
import { AlignSheet } from '../parts/align-sheet.tsx';
import { Icon } from '../parts/icons.tsx';
import { NameForm } from '../parts/name-form.tsx';
import { Slider } from '../parts/slider.tsx';
import { texts } from '../text/texts.ts';
import { player } from './own-player.ts';

const isAligning = signal(false);
const isNameAsked = signal(remembered('isNameAsked') !== undefined);

/** Listening in this browser, on every page of it. What stands on it, at the lower edge, knows its height. */
export function PlayerBar() {
  const bar = useRef<HTMLElement>(null);
  useEffect(() => {
    const { current } = bar;
    if (!current) return;
    const { style } = document.documentElement;
    const note = () => style.setProperty('--player', `${current.offsetHeight}px`);
    const observer = new ResizeObserver(note);
    observer.observe(current);
    return () => observer.disconnect();
  }, []);
  const { listen, live } = texts.value;
  const state = player.state.value;
  const isOn = state !== 'off' && state !== 'failed';
  return (
    <section ref={bar} class={isOn ? 'player-bar on' : 'player-bar'} aria-label={listen.start}>
      <ListenButton />
      <div class="listening hint">
        <ListenState />
        {isOn && <Figures />}
        {isOn && (
          <a class="open-screen" href={`#/${route.value.place}?listen`} title={live.listen.open}>
            <span class="unseen">{live.listen.open}</span>
          </a>
        )}
      </div>
      {isOn && (
        <div class="line volume">
          <button
            type="button"
            class="quiet round"
            aria-label={listen.align}
            title={listen.align}
            aria-haspopup="dialog"
            onClick={() => {
              isAligning.value = true;
            }}
          >
            <Icon name="align" />
          </button>
          <OwnVolume />
        </div>
      )}
      {state === 'playing' && <NameQuestion />}
      {isOn && isAligning.value && <OwnAlignSheet />}
    </section>
  );
}

/** Begins to listen, and ends it. */
export function ListenButton() {
  const { listen } = texts.value;
  const state = player.state.value;
  const isOn = state !== 'off' && state !== 'failed';
  const isStop = isOn && state !== 'tapToHear';
  return (
    <button
      type="button"
      class={isStop ? 'stop' : 'main'}
      onClick={() => (isStop ? player.stop() : player.start())}
    >
      <Icon name={isOn ? 'pause' : 'headphones'} />
      <span class="label">
        {state === 'tapToHear' ? listen.states.tapToHear : isOn ? listen.stop : listen.start}
      </span>
    </button>
  );
}

/** Whether it is heard here, or why not. */
export function ListenState() {
  const { listen } = texts.value;
  const state = player.state.value;
  const failure = player.failure.value;
  return (
    <span class="cut" role="status">
      {state === 'failed' && failure && listen.failures[failure]}
      {state !== 'off' && state !== 'failed' && listen.states[state]}
    </span>
  );
}

/** How loud this browser plays. */
export function OwnVolume() {
  const { listen, client } = texts.value;
  const { percent, muted } = player.volume.value;
  return (
    <>
      <button
        type="button"
        class="quiet round"
        aria-pressed={muted}
        aria-label={listen.mute}
        onClick={() => player.setVolume({ percent, muted: !muted })}
      >
        <Icon name={muted ? 'muted' : 'volume'} />
      </button>
      <Slider
        label={listen.volume}
        value={percent}
        isMuted={muted}
        valueText={client.volumeValue(percent, muted)}
        onChange={(value) => player.setVolume({ percent: value, muted })}
      />
    </>
  );
}

/** How well it plays: for who wants to know, in one line. */
function Figures() {
  const { listen } = texts.value;
  const { errorMs, outputLatencyMs, resyncs, underruns } = player.figures.value;
  const parts = [
    player.format.value,
    errorMs !== undefined && listen.error(errorMs),
    outputLatencyMs > 0 && listen.outputLatency(outputLatencyMs),
    resyncs + underruns > 0 && listen.resyncs(resyncs + underruns),
  ];
  return <span class="figures cut">{parts.filter(Boolean).join(' · ')}</span>;
}

/** What other controllers are to call this browser; asked once. */
function NameQuestion() {
  const client = house.clients.get(player.clientId.value ?? '')?.value;
  if (isNameAsked.value || !client || client.config.name !== '') return null;
  const { listen, close } = texts.value;
  const end = () => {
    isNameAsked.value = true;
    remember('isNameAsked', 'true');
  };
  return (
    <div class="line name-question">
      <NameForm
        label={listen.name}
        name=""
        placeholder={client.host.name}
        method="Client.SetName"
        onSave={(name) => {
          nameClient(client.id, name);
          end();
        }}
      />
      <button type="button" class="quiet round" aria-label={close} onClick={end}>
        <Icon name="close" />
      </button>
    </div>
  );
}

function OwnAlignSheet() {
  const { listen } = texts.value;
  const { deviceName, outputLatencyMs } = player.figures.value;
  return (
    <AlignSheet
      name={listen.thisBrowser}
      clientId={player.clientId.value}
      valueMs={player.offsetMs.value}
      hint={
        deviceName === undefined ? listen.forLatency(outputLatencyMs) : listen.forDevice(deviceName)
      }
      onChange={(offsetMs) => player.setOffset(offsetMs)}
      onClose={() => {
        isAligning.value = false;
      }}
    />
  );
}
