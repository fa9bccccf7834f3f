import type { AnnouncementDesk } from '../../announcements/announcement-desk.ts';
import type { RpcCaller } from '../rpc.ts';
import { withCode } from '../rpc-errors.ts';
import type { RpcContext, RpcMethod, RpcParameter, RpcResult } from '../rpc-method.ts';
import type { RpcParams } from '../rpc-params.ts';

const targets: RpcParameter = {
  parameter: 'targets',
  type: 'object',
  description: 'clients, groups and streams by id or name, or "all": true',
};

export const announceMethods: readonly RpcMethod[] = [
  method({
    name: 'Announce.Play',
    description: 'Mix a clip over what is played',
    parameters: [
      { ...targets, description: `${targets.description}; absent: all connected clients` },
      { parameter: 'url', type: 'string', description: 'where to fetch it by http or https' },
      { parameter: 'file', type: 'string', description: 'or the name of a clip in the library' },
      {
        parameter: 'chime',
        type: 'string',
        description: 'or ding, dingdong, alert, tick or ticks',
      },
      { parameter: 'text', type: 'string', description: 'or what tts_command is to say' },
      { parameter: 'pre', type: 'string', description: 'a chime or clip to be heard before' },
      { parameter: 'priority', type: 'string', description: 'low, normal or high' },
      { parameter: 'tag', type: 'string', description: 'name of its kind' },
      { parameter: 'replace', type: 'boolean', description: 'drop what waits under the same tag' },
      { parameter: 'urgent', type: 'boolean', description: 'at once, for a short dropout' },
      { parameter: 'at', type: 'number', description: 'when it is heard, ms since 1970' },
      { parameter: 'gain_db', type: 'number', description: 'louder or quieter by so much' },
      { parameter: 'volume', type: 'number', description: 'as loud as players at this volume' },
      { parameter: 'override_mute', type: 'boolean', description: 'who is muted hears it, too' },
      { parameter: 'loudness', type: 'string', description: 'normal, follow, or off: as it is' },
      { parameter: 'duck', type: 'object', description: 'duck_db, attack_ms, hold_ms, release_ms' },
      { parameter: 'repeat', type: 'number', description: 'how often, 1 to 10' },
      { parameter: 'max_seconds', type: 'number', description: 'refuse longer ones' },
      { parameter: 'expire_ms', type: 'number', description: 'drop it when it has waited so long' },
    ],
    returns: ['object', 'id and state; heardAt and duration as far as they are known'],
    call: async (desk, params) => ({ ...(await desk.play(params.all)) }),
  }),
  method({
    name: 'Announce.Stop',
    description: 'Stop announcements',
    parameters: [
      { parameter: 'id', type: 'string', description: 'the one of this id' },
      { parameter: 'tag', type: 'string', description: 'or all of this tag' },
      { ...targets, description: 'or all that these would hear, be they there or not' },
    ],
    returns: ['object', 'ids of those that were stopped'],
    call: (desk, params) => ({ stopped: desk.stop(params.all) }),
  }),
  method({
    name: 'Announce.List',
    description: 'List the announcements that are fetched, wait or play',
    parameters: [],
    returns: ['object', 'announcements'],
    call: (desk) => ({ announcements: desk.list() }),
  }),
  method({
    name: 'Announce.GetClips',
    description: 'List the chimes and the clips of the library',
    parameters: [],
    returns: ['object', 'chimes and clips, whether text can be spoken, duck_db and limits'],
    call: async (desk) => ({ ...(await desk.clips()) }),
  }),
  method({
    name: 'Announce.GetRecent',
    description: 'List the last announcements',
    parameters: [],
    returns: ['object', 'announcements, the newest first'],
    call: (desk) => ({ announcements: desk.recent }),
  }),
  method({
    name: 'Announce.PlayAgain',
    description: 'Play one of the last announcements once more',
    parameters: [{ parameter: 'id', type: 'string', description: 'which one' }],
    returns: ['object', 'as of Announce.Play'],
    call: async (desk, params) => ({ ...(await desk.playAgain(params.text('id'))) }),
  }),
];

/** Who calls one of these is told how announcements go on. */
function method({
  call,
  ...facts
}: Omit<RpcMethod, 'needs' | 'call'> & {
  readonly call: (desk: AnnouncementDesk, params: RpcParams) => RpcResult | Promise<RpcResult>;
}): RpcMethod {
  return {
    ...facts,
    needs: 'permission',
    async call(params: RpcParams, caller: RpcCaller, { announcements }: RpcContext) {
      caller.interests?.add('Announce');
      try {
        return await call(await announcements(), params);
      } catch (error) {
        throw withCode(error);
      }
    },
  };
}
