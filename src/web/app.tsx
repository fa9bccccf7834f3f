import type { FunctionComponent } from 'preact';
import { loginReason } from './control/login.ts';
import { house, isKnown, link } from './control/server.ts';
import { type PageName, places, route } from './page-route.ts';
import { Icon } from './parts/icons.tsx';
import { later } from './parts/later.tsx';
import { openSheets } from './parts/sheet.tsx';
import { Toasts } from './parts/toasts.tsx';
import { PlayerBar } from './player/player-bar.tsx';
import { RoomsPage } from './rooms/rooms-page.tsx';
import { StreamsPage } from './streams/streams-page.tsx';
import { texts } from './text/texts.ts';

const pages: Readonly<Record<PageName, FunctionComponent>> = {
  rooms: RoomsPage,
  streams: StreamsPage,
  sync: later(async () => (await import('./sync/sync-page.tsx')).SyncPage),
  announce: later(async () => (await import('./announce/announce-page.tsx')).AnnouncePage),
  more: later(async () => (await import('./more/more-page.tsx')).MorePage),
};
const ListenScreen = later(async () => (await import('./live/listen-screen.tsx')).ListenScreen);
const LoginSheet = later(async () => (await import('./more/login-sheet.tsx')).LoginSheet);

export function App() {
  const { place, query } = route.value;
  const Page = pages[place];
  if (query.get('view') === 'compact') return <CompactPage />;
  return (
    <>
      <button
        type="button"
        class="skip"
        onClick={() => document.getElementById('content')?.focus()}
      >
        {texts.value.skip}
      </button>
      <header class="top">
        <Logo />
        <span class="brand">Zerocast</span>
        <span class="hint cut">{house.serverName.value}</span>
      </header>
      <Places current={place} />
      <main id="content" tabIndex={-1}>
        <h1 class="unseen">{texts.value.places[place]}</h1>
        {isKnown.value && <Page />}
      </main>
      <PlayerBar />
      {query.has('listen') && isKnown.value && <ListenScreen />}
      <Connection />
      {openSheets.value === 0 && <Toasts />}
      {loginReason.value && <LoginSheet />}
    </>
  );
}

/** The volumes alone, for a narrow window or a frame in another page. */
function CompactPage() {
  return (
    <>
      <main class="compact">
        <h1 class="unseen">{texts.value.places.rooms}</h1>
        {isKnown.value && <RoomsPage />}
      </main>
      <Connection />
      {openSheets.value === 0 && <Toasts />}
      {loginReason.value && <LoginSheet />}
    </>
  );
}

function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
      <path d="M16 18.4a2.4 2.4 0 1 0 0-4.8 2.4 2.4 0 0 0 0 4.8zM10.5 21.5a7.8 7.8 0 0 1 0-11M21.5 10.5a7.8 7.8 0 0 1 0 11M6.5 25.5a13.4 13.4 0 0 1 0-19M25.5 6.5a13.4 13.4 0 0 1 0 19" />
    </svg>
  );
}

function Places({ current }: { readonly current: PageName }) {
  return (
    <nav class="places" aria-label="Zerocast">
      {places.map((place) => (
        <a key={place} href={`#/${place}`} aria-current={place === current ? 'page' : undefined}>
          <Icon name={place} />
          <span>{texts.value.places[place]}</span>
        </a>
      ))}
    </nav>
  );
}

/** A thin line, as most cuts are over before anybody needs to know more. */
function Connection() {
  if (link.isOpen.value && isKnown.value) return null;
  const { connecting, reconnecting, login } = texts.value;
  if (link.isStopped.value) {
    if (loginReason.value) return null;
    return (
      <div class="connection" role="status">
        {login.needed}
        <button
          type="button"
          onClick={() => {
            loginReason.value = 'none';
          }}
        >
          {login.submit}
        </button>
      </div>
    );
  }
  return (
    <div class="connection" role="status">
      {isKnown.value ? reconnecting : connecting}
    </div>
  );
}
