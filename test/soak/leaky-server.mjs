// The built server with a fault: every connection costs a descriptor for ever. With it the soak
// shows that it would notice.
import { openSync } from 'node:fs';
import { Server } from 'node:net';

const { emit } = Server.prototype;
Server.prototype.emit = function leak(event, ...rest) {
  if (event === 'connection') openSync('/dev/null', 'r');
  return emit.call(this, event, ...rest);
};

await import('../../dist/main.js');
