import type { RpcMethod } from '../rpc-method.ts';
import { announceMethods } from './announce-methods.ts';
import { clientMethods } from './client-methods.ts';
import { clipMethods } from './clip-methods.ts';
import { generalMethods } from './general-methods.ts';
import { groupMethods } from './group-methods.ts';
import { loginMethods } from './login-methods.ts';
import { sceneMethods } from './scene-methods.ts';
import { serverMethods } from './server-methods.ts';
import { streamMethods } from './stream-methods.ts';

/** Everything that controllers can ask for. */
export const allMethods: readonly RpcMethod[] = [
  ...announceMethods,
  ...clientMethods,
  ...clipMethods,
  ...generalMethods,
  ...groupMethods,
  ...loginMethods,
  ...sceneMethods,
  ...serverMethods,
  ...streamMethods,
];
