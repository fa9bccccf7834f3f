import { credentials } from '../control/login.ts';
import { addressOf, entered } from '../control/server.ts';
import { LiveLink } from './live-link.ts';

/** What the server that has served the page shows of this moment. */
export const live = new LiveLink({ url: addressOf('live'), login: credentials });

// The server is back, or knows by now who looks.
entered.subscribe(() => live.hurry());
