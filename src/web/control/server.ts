import { effect, signal } from '@preact/signals';
import { ControlLink } from './control-link.ts';
import { House } from './house.ts';
import type { ServerObject } from './status-objects.ts';

/** The server that has served the page, below whatever path a proxy has put it. */
export function addressOf(path: string): string {
  const url = new URL(path, document.baseURI);
  url.protocol = url.protocol.replace('http', 'ws');
  url.search = '';
  url.hash = '';
  return url.href;
}

export const house = new House();
/** Whether anything is known of the server yet. */
export const isKnown = signal(false);
export const serverVersion = signal('');

const waiting: Parameters<House['takeNotification']>[0][] = [];

export const link = new ControlLink({
  url: addressOf('jsonrpc'),
  onOpen: () => void refresh(),
  onNotification: (notification) => {
    // A thousand clients may change within one picture: what is drawn is worked out once for it.
    if (waiting.push(notification) > 1) return;
    if (document.visibilityState === 'visible') requestAnimationFrame(takeWaiting);
    else setTimeout(takeWaiting, 1000);
  },
});

function takeWaiting(): void {
  for (const notification of waiting.splice(0)) house.takeNotification(notification);
}

/** Asks for the whole status. */
export async function refresh(): Promise<void> {
  const { server } = (await link.request('Server.GetStatus')) as { server: ServerObject };
  waiting.length = 0;
  house.takeStatus(server);
  serverVersion.value = server.server.snapserver.version;
  isKnown.value = true;
}

effect(() => {
  if (house.isOutdated.value && link.isOpen.value) void refresh();
});
