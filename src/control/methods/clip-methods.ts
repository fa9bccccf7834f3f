import { jsonOfClip } from '../../clips/clip-json.ts';
import type { ClipParts } from '../../clips/open-clips.ts';
import { forbidden, invalidParams, withCode } from '../rpc-errors.ts';
import type { RpcContext, RpcMethod, RpcResult } from '../rpc-method.ts';
import type { RpcParams } from '../rpc-params.ts';

/** What a controller needs beside `Clips.AddClip`, as for streams that play files of this machine. */
const readFiles = 'Stream.AddStream.File';

const name = { parameter: 'name', type: 'string', description: 'name of the clip' };
const replace = {
  parameter: 'replace',
  type: 'boolean',
  description: 'whether it may take the place of another; absent: no',
};
const clipResult = ['object', 'the clip'] as const;

export const clipMethods: readonly RpcMethod[] = [
  method({
    name: 'Clips.GetClips',
    description: 'List the clips of the library',
    parameters: [],
    returns: ['object', 'clips, without their waveforms, and what may still come'],
    async call({ library }) {
      const clips = await library.list();
      const { maxClipBytes, maxClips, maxTotalBytes } = library.limits;
      const bytes = clips.reduce((sum, clip) => sum + clip.bytes, 0);
      const limits = { clip_bytes: maxClipBytes, clips: maxClips, bytes: maxTotalBytes };
      return { clips: clips.map(jsonOfClip), bytes, limits };
    },
  }),
  method({
    name: 'Clips.GetClip',
    description: 'Tell all of one clip',
    parameters: [name],
    returns: ['object', 'the clip, with its waveform'],
    async call({ library }, params) {
      const clip = await library.get(params.text('name'));
      const waveform = clip.facts && 'waveform' in clip.facts ? clip.facts.waveform : [];
      return { clip: { ...jsonOfClip(clip), waveform } };
    },
  }),
  method({
    name: 'Clips.AddClip',
    description: 'Copy a file of this machine into the library',
    parameters: [
      { parameter: 'path', type: 'string', description: 'absolute path of the file' },
      { ...name, description: 'name of the clip; absent: that of the file' },
      replace,
      { parameter: 'verify', type: 'boolean', description: 'compare both by SHA-256' },
    ],
    returns: clipResult,
    async call({ transfers }, params, permits) {
      if (!permits(readFiles)) throw forbidden(`the permission "${readFiles}" is missing`);
      const verify = params.optionalFlag('verify');
      const clip = await transfers.copy(params.text('path'), {
        ...(params.has('name') && { name: params.text('name') }),
        replace: params.optionalFlag('replace') ?? false,
        ...(verify !== undefined && { verify }),
      });
      return { clip: jsonOfClip(clip) };
    },
  }),
  method({
    name: 'Clips.UploadClip',
    description: 'Send a clip, or a piece of it',
    parameters: [
      name,
      { parameter: 'data', type: 'string', description: 'bytes in base64' },
      { parameter: 'offset', type: 'number', description: 'where the piece lies; absent: 0' },
      { parameter: 'size', type: 'number', description: 'bytes of the clip; absent: these' },
      replace,
    ],
    returns: ['object', 'the clip when it is complete, and the bytes that are there'],
    async call({ transfers }, params) {
      const bytes = bytesOf(params.text('data'));
      const at = wholeNumber(params, 'offset') ?? 0;
      const clip = await transfers.upload({
        name: params.text('name'),
        bytes,
        at,
        totalBytes: wholeNumber(params, 'size') ?? at + bytes.length,
        replace: params.optionalFlag('replace') ?? false,
      });
      return { bytes: at + bytes.length, ...(clip && { clip: jsonOfClip(clip) }) };
    },
  }),
  method({
    name: 'Clips.DownloadClip',
    description: 'Read a clip, or a piece of it',
    parameters: [
      name,
      { parameter: 'offset', type: 'number', description: 'where the piece begins; absent: 0' },
      { parameter: 'length', type: 'number', description: 'bytes, at most 524288; absent: that' },
    ],
    returns: ['object', 'data in base64, its offset, and size, the bytes of the clip'],
    async call({ transfers }, params) {
      const offset = wholeNumber(params, 'offset') ?? 0;
      const length = wholeNumber(params, 'length') ?? Number.POSITIVE_INFINITY;
      const { piece, totalBytes } = await transfers.download(params.text('name'), offset, length);
      return { data: piece.toString('base64'), offset, size: totalBytes };
    },
  }),
  method({
    name: 'Clips.Cancel',
    description: 'Give up a clip that is being copied or sent',
    parameters: [name],
    returns: ['object', 'its name'],
    async call({ transfers }, params) {
      await transfers.cancel(params.text('name'));
      return { name: params.text('name') };
    },
  }),
  method({
    name: 'Clips.RenameClip',
    description: 'Give a clip another name',
    parameters: [name, { ...name, parameter: 'newName', description: 'its name from now on' }],
    returns: clipResult,
    async call({ library }, params) {
      return {
        clip: jsonOfClip(await library.rename(params.text('name'), params.text('newName'))),
      };
    },
  }),
  method({
    name: 'Clips.DeleteClip',
    description: 'Delete a clip',
    parameters: [name],
    returns: ['object', 'its name'],
    async call({ library }, params) {
      await library.remove(params.text('name'));
      return { name: params.text('name') };
    },
  }),
  method({
    name: 'Clips.GetStatistics',
    description: 'Tell how files were copied into the library since the start',
    parameters: [],
    returns: ['object', 'bytes, speed, share without a copy, ways, fallbacks and failures'],
    call: async ({ copier }) => ({ ...copier.statistics.figures }),
  }),
];

/** Who calls one of these is told when the library changes. */
function method({
  call,
  ...facts
}: Omit<RpcMethod, 'needs' | 'call'> & {
  readonly call: (
    parts: ClipParts,
    params: RpcParams,
    permits: (permission: string) => boolean,
  ) => Promise<RpcResult>;
}): RpcMethod {
  return {
    ...facts,
    needs: 'permission',
    async call(params, caller, { clips, access }: RpcContext) {
      caller.interests?.add('Clips');
      const login = caller.login ?? access.anonymous;
      try {
        const permits = (permission: string) => login?.permits(permission) === true;
        return await call(await clips(), params, permits);
      } catch (error) {
        throw withCode(error);
      }
    },
  };
}

function bytesOf(data: string): Buffer {
  if (data.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(data)) {
    throw invalidParams("Parameter 'data' must be base64, with its padding");
  }
  return Buffer.from(data, 'base64');
}

function wholeNumber(params: RpcParams, name: string): number | undefined {
  if (!params.has(name)) return undefined;
  const value = params.number(name);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw invalidParams(`Parameter '${name}' must be a whole number of 0 or more`);
}
