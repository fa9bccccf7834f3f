import { RpcError } from '../../base/errors.ts';
import { isObject, type JsonObject } from '../../base/files/json-fields.ts';
import { PatientTimer } from '../../base/time/patient-timer.ts';
import { cut } from './plugin-log.ts';

/** Requests that one control script has not answered yet. */
export const maxPendingRequests = 64;

const internalErrorCode = -32603;

/** What the codes of errors mean. Source: protocol reference, 9.2 and 9.5. */
const standardTexts: ReadonlyMap<number, string> = new Map([
  [1, 'Stream can not be controlled'],
  [2, 'Stream property canGoNext is false'],
  [3, 'Stream property canGoPrevious is false'],
  [4, 'Stream property canPlay is false'],
  [5, 'Stream property canPause is false'],
  [6, 'Stream property canSeek is false'],
  [7, 'Stream property canControl is false'],
  [-32700, 'Parse error'],
  [-32600, 'Invalid request'],
  [-32601, 'Method not found'],
  [-32602, 'Invalid params'],
  [internalErrorCode, 'Internal error'],
]);

interface PendingRequest {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: RpcError) => void;
  readonly timer: PatientTimer;
}

interface PluginRequestsOptions {
  readonly answerTimeoutMs: number;
  /** Sends one line; returns why that is not possible, if so. */
  readonly write: (line: string) => string | undefined;
}

/** The requests to one control script that wait for an answer. */
export class PluginRequests {
  readonly #options: PluginRequestsOptions;
  readonly #pending = new Map<number, PendingRequest>();
  #lastId = 0;

  constructor(options: PluginRequestsOptions) {
    this.#options = options;
  }

  /** Failure: rejects with an `RpcError` when the script refuses, is gone, or does not answer. */
  send(method: string, params?: JsonObject): Promise<unknown> {
    if (this.#pending.size >= maxPendingRequests) {
      return Promise.reject(
        internalError(`the control script has ${maxPendingRequests} requests to answer already`),
      );
    }
    const id = this.#lastId + 1;
    const request = { id, jsonrpc: '2.0', method, ...(params && { params }) };
    const refusal = this.#options.write(`${JSON.stringify(request)}\n`);
    if (refusal !== undefined) return Promise.reject(internalError(refusal));
    this.#lastId = id;
    return new Promise((resolve, reject) => {
      const { answerTimeoutMs } = this.#options;
      const timer = new PatientTimer(answerTimeoutMs, () => {
        this.#pending.delete(id);
        reject(
          internalError(`the control script did not answer within ${answerTimeoutMs / 1000} s`),
        );
      });
      timer.restart();
      this.#pending.set(id, { resolve, reject, timer });
    });
  }

  /** Takes an answer; false when it answers nothing that still waits. */
  answer(message: JsonObject): boolean {
    const id = Number(isWord(message.id) ? message.id : Number.NaN);
    const request = this.#pending.get(id);
    if (!request) return false;
    this.#pending.delete(id);
    request.timer.stop();
    if (message.error === undefined || message.error === null) request.resolve(message.result);
    else request.reject(errorOf(message.error));
    return true;
  }

  rejectAll(why: string): void {
    for (const { reject, timer } of this.#pending.values()) {
      timer.stop();
      reject(internalError(why));
    }
    this.#pending.clear();
  }
}

function internalError(why: string): RpcError {
  return new RpcError(internalErrorCode, 'Internal error', why);
}

/** The error of a script for a controller: its explanation stands in the message. */
function errorOf(error: unknown): RpcError {
  const { code, message, data }: JsonObject = isObject(error) ? error : { data: error };
  const rpcCode = typeof code === 'number' && Number.isInteger(code) ? code : internalErrorCode;
  const own = typeof message === 'string' && message !== '' ? message : undefined;
  const standard = standardTexts.get(rpcCode) ?? own ?? 'the control script reports an error';
  return new RpcError(rpcCode, cut(isWord(data) ? `${standard}: ${data}` : (own ?? standard)));
}

/** Lists and objects are not turned into text: deep ones would overflow the stack. */
function isWord(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}
