import {
  jsonOfArrangement,
  jsonOfScene,
  readArrangement,
  type Scene,
  sceneName,
} from '../../clients/scene.ts';
import { JsonText, jsonOf } from '../json-text.ts';
import type { RpcCaller } from '../rpc.ts';
import { invalidParams, withCode } from '../rpc-errors.ts';
import type { RpcContext, RpcMethod, RpcParameter, RpcResult } from '../rpc-method.ts';
import type { RpcParams } from '../rpc-params.ts';

const name: RpcParameter = { parameter: 'name', type: 'string', description: 'name of the scene' };
const scene: RpcParameter = {
  parameter: 'scene',
  type: 'object',
  description: 'groups with their clients, streams, volumes and mutes',
};

export const sceneMethods: readonly RpcMethod[] = [
  method({
    name: 'Scene.List',
    description: 'List the scenes',
    parameters: [],
    returns: ['object', 'the scenes, in the order in which they were saved'],
    call: (_params, { context }) => ({ scenes: context.scenes.all.map(textOf) }),
  }),
  method({
    name: 'Scene.Save',
    description: 'Keep groups, streams, volumes and mutes under a name',
    parameters: [
      name,
      {
        parameter: 'replace',
        type: 'boolean',
        description: 'whether it may take the place of another; absent: no',
      },
      { ...scene, description: `${scene.description}; absent: as all is now` },
    ],
    returns: ['object', 'the scene'],
    call(params, { context: { scenes, groups } }) {
      const kept = {
        name: sceneName(params.text('name')),
        // Checked, too: what is kept has to be read again.
        ...readArrangement(
          params.has('scene') ? params.value('scene') : jsonOfArrangement(groups.arrangement),
        ),
      };
      scenes.save(kept, { replace: params.optionalFlag('replace') ?? false });
      return { scene: textOf(kept) };
    },
  }),
  method({
    name: 'Scene.Apply',
    description: 'Put groups, streams, volumes and mutes as a scene says',
    parameters: [name, { ...scene, description: `or a scene itself: ${scene.description}` }],
    returns: [
      'object',
      'the complete status, the ids that are missing, and the scene that was before',
    ],
    call(params, { caller, context: { scenes, groups, status } }) {
      if (params.has('name') === params.has('scene')) {
        throw invalidParams("Give either parameter 'name' or parameter 'scene'");
      }
      const wanted = params.has('scene')
        ? readArrangement(params.value('scene'))
        : scenes.get(params.text('name'));
      const before = jsonOfArrangement(groups.arrangement);
      const missing = groups.arrange(wanted, caller);
      return { server: status.server(), missing, before };
    },
  }),
  method({
    name: 'Scene.Rename',
    description: 'Give a scene another name',
    parameters: [name, { ...name, parameter: 'newName', description: 'its name from now on' }],
    returns: ['object', 'the new name'],
    call: (params, { context }) => ({
      name: context.scenes.rename(params.text('name'), params.text('newName')),
    }),
  }),
  method({
    name: 'Scene.Delete',
    description: 'Delete a scene',
    parameters: [name],
    returns: ['object', 'the scene that it was'],
    call: (params, { context }) => ({
      scene: textOf(context.scenes.remove(params.text('name'))),
    }),
  }),
];

/** Of scenes, which never change: one of thousands of clients takes long to write. */
const texts = new WeakMap<Scene, JsonText>();

function textOf(scene: Scene): JsonText {
  const text = texts.get(scene) ?? new JsonText(jsonOf(jsonOfScene(scene)));
  texts.set(scene, text);
  return text;
}

interface Asked {
  readonly caller: RpcCaller;
  readonly context: RpcContext;
}

/** Who calls one of these is told when the scenes change. */
function method({
  call,
  ...facts
}: Omit<RpcMethod, 'needs' | 'call'> & {
  readonly call: (params: RpcParams, asked: Asked) => RpcResult;
}): RpcMethod {
  return {
    ...facts,
    needs: 'permission',
    call(params, caller, context) {
      caller.interests?.add('Scene');
      try {
        return call(params, { caller, context });
      } catch (error) {
        throw withCode(error);
      }
    },
  };
}
