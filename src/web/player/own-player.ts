import { effect } from '@preact/signals';
import { credentials, loginReason } from '../control/login.ts';
import { addressOf } from '../control/server.ts';
import { Player } from './player.ts';

/** This browser, as a player of the server that has served the page. */
export const player = new Player({ url: addressOf('stream'), auth: credentials });

effect(() => {
  if (player.failure.value === 'login') loginReason.value = 'ended';
});
