import { AssertionError, messageOf, RpcError, ZerocastError } from '../base/errors.ts';
import { parseJson } from '../base/foreign-text.ts';
import type { Logger } from '../base/logger.ts';
import { LogLimiter } from '../base/time/log-limiter.ts';
import { LoopShare } from '../base/time/loop-share.ts';
import { LongIds } from './long-ids.ts';
import { allMethods } from './methods/all-methods.ts';
import type { RpcAnswer, RpcCaller, RpcHandler } from './rpc.ts';
import { errorText, resultText } from './rpc-answers.ts';
import { answerInTurn, maxBatchSliceMs } from './rpc-batch.ts';
import {
  forbidden,
  internalError,
  invalidRequest,
  methodNotFound,
  parseError,
  unauthorized,
  unexpectedFailure,
} from './rpc-errors.ts';
import type { RpcContext, RpcMethod, RpcResult, RpcTargets } from './rpc-method.ts';
import { type RpcRequest, readRequest } from './rpc-request.ts';

/** Requests in one batch; controllers send as many as a group has clients. */
export const maxBatch = 1000;
/** Requests of a batch whose answers have grown beyond this are not called any more. */
export const maxBatchAnswerLength = 4 * 1024 * 1024;

interface RpcDispatcherOptions extends RpcTargets {
  readonly logger: Logger;
  /** Other methods than the usual ones: for tests. */
  readonly methods?: readonly RpcMethod[];
}

/** Finds the method of each request, checks that the caller may call it, and answers. */
export class RpcDispatcher implements RpcHandler {
  readonly #context: RpcContext;
  readonly #logger: Logger;
  readonly #turns = new LoopShare(maxBatchSliceMs);

  constructor({ logger, methods = allMethods, ...targets }: RpcDispatcherOptions) {
    const byName = new Map(methods.map((method) => [method.name, method]));
    this.#logger = logger.tagged('Control');
    this.#context = {
      ...targets,
      methods: byName,
      logger: this.#logger,
      refusalLog: new LogLimiter(),
    };
  }

  handle(text: string, caller: RpcCaller): RpcAnswer {
    let json: unknown;
    try {
      json = parseJson(text);
    } catch (error) {
      return errorText(null, parseError(messageOf(error)));
    }
    const longIds = new LongIds(text);
    if (!Array.isArray(json)) return this.#answer(json, { caller, longIds });
    if (json.length === 0) return errorText(null, invalidRequest('the batch is empty'));
    if (json.length > maxBatch) {
      const fault = `a batch holds at most ${maxBatch} requests: split it`;
      return errorText(null, invalidRequest(fault));
    }
    const answer = (request: unknown, lengthSoFar: number) => {
      const isRefused = lengthSoFar > maxBatchAnswerLength;
      return this.#answer(request, { caller, longIds, isRefused });
    };
    return answerInTurn(json, { answer, turns: this.#turns });
  }

  #answer(value: unknown, { caller, longIds, isRefused = false }: Circumstances): RpcAnswer {
    const request = readRequest(value, longIds);
    if (!request) return undefined;
    if ('error' in request) return errorText(request.id, request.error);
    if (isRefused) return errorText(request.id, batchTooLarge());
    try {
      const result = this.#call(request, caller);
      if (!(result instanceof Promise)) return resultText(request.id, result);
      return result.then(
        (value) => resultText(request.id, value),
        (error: unknown) => errorText(request.id, this.#faultOf(error, { request, caller })),
      );
    } catch (error) {
      return errorText(request.id, this.#faultOf(error, { request, caller }));
    }
  }

  #call({ method, params }: RpcRequest, caller: RpcCaller): RpcResult | Promise<RpcResult> {
    const known = this.#context.methods.get(method);
    if (!known) throw methodNotFound();
    this.#authorize(known, caller);
    return known.call(params, caller, this.#context);
  }

  /** Source: protocol reference, 13. */
  #authorize({ name, needs }: RpcMethod, caller: RpcCaller): void {
    if (needs === 'nothing') return;
    const login = caller.login ?? this.#context.access.anonymous;
    if (!login) throw unauthorized();
    if (needs === 'permission' && !login.permits(name)) throw forbidden();
  }

  #faultOf(error: unknown, { request, caller }: Asked): RpcError {
    if (error instanceof RpcError) return error;
    if (error instanceof AssertionError) throw error;
    if (error instanceof ZerocastError) return internalError(error.message);
    const { method } = request;
    const { remoteAddress: address } = caller;
    const reason = messageOf(error);
    this.#logger.error('a request failed unexpectedly', { method, address, reason });
    return unexpectedFailure();
  }
}

interface Asked {
  readonly request: RpcRequest;
  readonly caller: RpcCaller;
}

interface Circumstances {
  readonly caller: RpcCaller;
  readonly longIds: LongIds;
  /** The batch has got enough answers. */
  readonly isRefused?: boolean;
}

function batchTooLarge(): RpcError {
  return internalError('the answers of this batch are too long: split it');
}
