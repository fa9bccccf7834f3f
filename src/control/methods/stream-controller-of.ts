import { RpcError } from '../../base/errors.ts';
import type { StreamChannel } from '../../streams/stream-channel.ts';
import type { StreamController } from '../../streams/stream-controller.ts';

/** The player of a stream that has said it can be controlled. */
export function streamControllerOf({ player }: StreamChannel): StreamController {
  if (!player) throw new RpcError(1, 'Stream can not be controlled');
  return player;
}
