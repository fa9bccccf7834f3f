import { setTimeout as sleep } from 'node:timers/promises';
import { isObject, type JsonObject } from '../base/files/json-fields.ts';
import { parseJson } from '../base/foreign-text.ts';
import { askControl } from './control-question.ts';

const attempts = 5;
const pauseMs = 100;
const answerTimeoutMs = 1000;

/**
 * Sees to it that a player that was only looking does not stay in the list of clients. This server
 * forgets it by itself; others are asked to, unless another player has its id and is still there.
 *
 * Failure: a server that cannot be asked keeps it.
 */
export async function forgetVisitor({
  id,
  host,
  controlPort,
}: {
  readonly id: string;
  readonly host: string;
  readonly controlPort: number;
}): Promise<void> {
  const ask = (method: string) =>
    askControl({ host, port: controlPort, method, params: { id }, timeoutMs: answerTimeoutMs });
  try {
    // It takes the server a moment to notice that the player has gone.
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const isConnected = connectionOf(parseJson(await ask('Client.GetStatus')));
      if (isConnected === undefined) return;
      if (!isConnected) {
        await ask('Server.DeleteClient');
        return;
      }
      await sleep(pauseMs);
    }
  } catch {
    // There is no control port where it is usual, or it is for others.
  }
}

/** Whether the client is connected; nothing when the server does not know it or does not tell. */
function connectionOf(answer: unknown): boolean | undefined {
  const client = memberOf(memberOf(answer, 'result'), 'client');
  const connected = isObject(client) ? client.connected : undefined;
  return typeof connected === 'boolean' ? connected : undefined;
}

function memberOf(json: unknown, name: string): JsonObject | undefined {
  const member = isObject(json) ? json[name] : undefined;
  return isObject(member) ? member : undefined;
}
