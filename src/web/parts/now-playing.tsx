import { control } from '../control/actions.ts';
import { permit } from '../control/login.ts';
import type { StreamObject } from '../control/status-objects.ts';
import { texts } from '../text/texts.ts';
import { Icon, type IconName } from './icons.tsx';

/** Title, cover and what can be done with them, as far as the source tells, or why there is nothing. */
export function NowPlaying({ stream: { id, properties } }: { readonly stream: StreamObject }) {
  const { metadata, canControl, playbackStatus, canGoNext, canGoPrevious } = properties ?? {};
  const { transport } = texts.value;
  const title = metadata?.title ?? '';
  const about = [metadata?.artist?.join(', '), metadata?.album].filter(Boolean).join(' – ');
  // Servers say there, too, why a stream is not heard; what is said of a song does not belong here.
  const fault = title === '' ? metadata?.comment?.join(' ') : undefined;
  if (title === '' && !canControl && !fault) return null;
  const isPlaying = playbackStatus === 'playing';
  const command = (name: 'play' | 'pause' | 'next' | 'previous', icon: IconName, label: string) => (
    <button
      type="button"
      class="quiet round"
      aria-label={label}
      {...permit('Stream.Control')}
      onClick={() => control(id, name)}
    >
      <Icon name={icon} />
    </button>
  );
  return (
    <div class="line now">
      {metadata?.artUrl && (
        <img class="cover" src={coverAddress(metadata.artUrl)} alt="" loading="lazy" />
      )}
      <div class="cut">
        <div class="title cut">{title}</div>
        <div class="hint cut">{about}</div>
        {fault && <div class="hint">{fault}</div>}
      </div>
      {canControl && (
        <div class="buttons">
          {canGoPrevious && command('previous', 'previous', transport.previous)}
          {isPlaying
            ? command('pause', 'pause', transport.pause)
            : command('play', 'play', transport.play)}
          {canGoNext && command('next', 'next', transport.next)}
        </div>
      )}
    </div>
  );
}

/** The server names itself as it sees itself, which may not be how the browser reaches it. */
function coverAddress(address: string): string {
  const cached = /\/(__image_cache\?name=.*)$/.exec(address)?.[1];
  return cached ?? address;
}
