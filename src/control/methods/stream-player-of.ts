import { RpcError } from '../../base/errors.ts';
import type { StreamChannel } from '../../streams/stream-channel.ts';
import type { StreamPlayer } from '../../streams/stream-player.ts';

/** The player of a stream that has said it can be controlled. */
export function playerOf({ player }: StreamChannel): StreamPlayer {
  if (!player) throw new RpcError(1, 'Stream can not be controlled');
  return player;
}
