import { moreTexts } from '../text/more-texts.ts';
import { health } from './health.ts';
import { qrCode, quietZone } from './qr-code.ts';

const usualPort = 1704;

/** How a player finds this server. */
export function JoinHelp() {
  const words = moreTexts.value;
  const host = reachableHost();
  const { port, protocol, pathname } = location;
  const page = `${protocol}//${host}${port && `:${port}`}${pathname}`;
  const streaming = health.value?.ports.streaming ?? usualPort;
  return (
    <section class="card">
      <h2>{words.join}</h2>
      <div class="join">
        <div>
          <p>{words.joinPage}</p>
          <pre>{page}</pre>
        </div>
        <QrCode text={page} />
      </div>
      <p>{words.joinPi}</p>
      <pre>
        snapclient -h {host}
        {streaming !== usualPort && ` -p ${streaming}`}
      </pre>
      <p>{words.joinApps}</p>
      <pre>
        {host}
        {streaming !== usualPort && `, port ${streaming}`}
      </pre>
    </section>
  );
}

/** What other devices can use: on the server itself the page may be called by names of its own. */
function reachableHost(): string {
  const { hostname } = location;
  const isOwn = /^(?:localhost|127\.|\[::1\]$)/.test(hostname);
  const [address] = (isOwn && health.value?.addresses) || [];
  if (address === undefined) return hostname;
  return address.includes(':') ? `[${address}]` : address;
}

function QrCode({ text }: { readonly text: string }) {
  const code = qrCode(text);
  if (!code) return null;
  const size = code.length + 2 * quietZone;
  const path = code
    .flatMap((row, y) =>
      row.map((isDark, x) => (isDark ? `M${x + quietZone} ${y + quietZone}h1v1h-1z` : '')),
    )
    .join('');
  return (
    <svg
      class="qr"
      viewBox={`0 0 ${size} ${size}`}
      shape-rendering="crispEdges"
      role="img"
      aria-label={moreTexts.value.joinCode(text)}
    >
      <path fill="#fff" d={`M0 0h${size}v${size}h-${size}z`} />
      <path fill="#000" d={path} />
    </svg>
  );
}
