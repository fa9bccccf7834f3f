import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

function toArgs(options) {
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

/**
 * Runs the load client to its end; `onEvent` hears `joined`, `window-start` and `window-end` as they happen.
 *
 * Failure: rejects when anything that was due did not arrive: such a case measured nothing.
 */
export async function runLoad(loadClient, options, onEvent = () => {}) {
  const child = spawn(loadClient, toArgs(options), { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  let result;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line);
    if (event.event === 'result') result = event;
    else onEvent(event.event);
  }
  const [status] = await closed;
  if (status === 0) return result;
  throw new Error(`load client: ${result?.problems.join('; ') ?? `exit status ${status}`}`);
}
