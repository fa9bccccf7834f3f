import { setImmediate } from 'node:timers/promises';
import type { RpcAnswer } from './rpc.ts';

/** Audio and other peers wait for at most about so long while a batch is being answered. */
const maxBatchSliceMs = 5;

/**
 * Answers requests one after another, so that each finds what those before it have done.
 *
 * Shape: an array of the answers in order; `undefined` when there are none. `answer` is told how
 * long the answers before are.
 */
export function answerInTurn(
  requests: readonly unknown[],
  answer: (request: unknown, lengthSoFar: number) => RpcAnswer,
): RpcAnswer {
  const rest = requests.values();
  const answers: string[] = [];
  let length = 0;
  const keep = (text: string | undefined) => {
    if (text === undefined) return;
    answers.push(text);
    length += text.length;
  };
  const go = (): RpcAnswer => {
    const endMs = performance.now() + maxBatchSliceMs;
    for (const request of rest) {
      const text = answer(request, length);
      if (text instanceof Promise) return text.then(keep).then(go);
      keep(text);
      if (performance.now() > endMs) return setImmediate().then(go);
    }
    return answers.length > 0 ? `[${answers.join(',')}]` : undefined;
  };
  return go();
}
