import type { LoopShare } from '../base/time/loop-share.ts';
import type { RpcAnswer } from './rpc.ts';

/** Audio and other peers wait for at most about so long while batches are being answered. */
export const maxBatchSliceMs = 5;

interface BatchOptions {
  /** Told how long the answers before are. */
  readonly answer: (request: unknown, lengthSoFar: number) => RpcAnswer;
  /** What all batches share. */
  readonly turns: LoopShare;
}

/**
 * Answers requests one after another, so that each finds what those before it have done.
 *
 * Shape: an array of the answers in order; `undefined` when there are none.
 */
export function answerInTurn(
  requests: readonly unknown[],
  { answer, turns }: BatchOptions,
): RpcAnswer {
  const rest = requests.values();
  const answers: string[] = [];
  let length = 0;
  const keep = (text: string | undefined) => {
    if (text === undefined) return;
    answers.push(text);
    length += text.length;
  };
  const go = (isTurn = false): RpcAnswer => {
    let mayGoOn = isTurn;
    for (;;) {
      // Also behind an answer that was waited for: it may have come in the same turn of the loop.
      if (!mayGoOn && turns.isOver) return inTurn(turns, () => go(true));
      mayGoOn = false;
      const { done, value: request } = rest.next();
      if (done) return answers.length > 0 ? `[${answers.join(',')}]` : undefined;
      const text = answer(request, length);
      if (text instanceof Promise) return text.then(keep).then(() => go());
      keep(text);
    }
  };
  return go();
}

function inTurn(turns: LoopShare, work: () => RpcAnswer): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    turns.later(() => {
      try {
        resolve(work());
      } catch (error) {
        reject(error);
      }
    });
  });
}
