import { batch, effect, signal } from '@preact/signals';
import { ControlLink, type Notification, RefusedError } from './control-link.ts';
import { House } from './house.ts';
import { credentials, forgetToken, loginFault, loginReason, takePermissions } from './login.ts';
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

/** How often the server was entered: what else was asked of it has to be asked again. */
export const entered = signal(0);

const listeners = new Map<string, (params: Notification['params']) => void>();

/** For what the house does not keep. */
export function onNotification(
  method: string,
  listener: (params: Notification['params']) => void,
): void {
  listeners.set(method, listener);
}

/** How often what others change is drawn, at most. */
const pictureMs = 100;
const hiddenMs = 1000;
let takenMs = 0;
const waiting: Parameters<House['takeNotification']>[0][] = [];

export const link = new ControlLink({
  url: addressOf('jsonrpc'),
  onOpen: () => void enter(),
  onNotification: (notification) => {
    const listener = listeners.get(notification.method);
    if (listener) {
      listener(notification.params);
      return;
    }
    // A thousand clients may change within a second: what is drawn is worked out for many at once.
    if (waiting.push(notification) > 1) return;
    const everyMs = document.visibilityState === 'visible' ? pictureMs : hiddenMs;
    setTimeout(takeWaiting, takenMs + everyMs - performance.now());
  },
});

function takeWaiting(): void {
  takenMs = performance.now();
  batch(() => {
    for (const notification of waiting.splice(0)) house.takeNotification(notification);
  });
}

/** Shows the server who is here, where it wants to know, and asks for all. */
async function enter(): Promise<void> {
  const shown = credentials();
  try {
    const isAccepted = shown && (await isLoggedInBy(shown));
    if (isAccepted) takePermissions(await permittedMethods());
    await refresh();
    // A server that wants no login takes none.
    if (shown && !isAccepted) forgetToken();
    entered.value += 1;
  } catch (error) {
    const fault = loginFault(error);
    // It was lost, and comes again.
    if (!fault) return;
    link.stop();
    loginReason.value = fault === 'none' && shown ? 'ended' : fault;
  }
}

async function isLoggedInBy(shown: object): Promise<boolean> {
  try {
    await link.request('Server.Authenticate', shown);
    return true;
  } catch (error) {
    if (error instanceof RefusedError) return false;
    throw error;
  }
}

async function permittedMethods(): Promise<readonly string[]> {
  const { commands } = (await link.request('General.GetRPCCommands')) as {
    readonly commands: readonly { readonly method: string; readonly hasPermission: boolean }[];
  };
  return commands.filter(({ hasPermission }) => hasPermission).map(({ method }) => method);
}

/** Asks for the whole status. */
export async function refresh(): Promise<void> {
  const { server } = (await link.request('Server.GetStatus')) as { server: ServerObject };
  waiting.length = 0;
  house.takeStatus(server);
  isKnown.value = true;
}

effect(() => {
  if (house.isOutdated.value && link.isOpen.value) refresh().catch(() => {});
});
