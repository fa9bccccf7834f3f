import { maxStreamUriLength, parseStreamUri } from '../../audio/stream-uri.ts';
import { capturePermission } from '../../auth/access.ts';
import { forbidden, internalError } from '../rpc-errors.ts';
import type { RpcMethod } from '../rpc-method.ts';
import { controlCommands, controlStream } from './stream-control.ts';
import { setStreamProperty, streamProperties } from './stream-property.ts';
import { idOf, onStream } from './targets.ts';

/** What a controller needs beside `Stream.AddStream` for what lies on this machine. */
const readFiles = 'Stream.AddStream.File';
/** And for what lies elsewhere. */
const openUrls = 'Stream.AddStream.Radio';
/** And for what is mixed over other streams. */
const makeAnnouncements = 'Announce.Play';
const withoutLogins = 'allow_capture in the section [stream] gives it without logins';

/** What other kinds of sources need: nothing where they bring nothing from here, or what a folder of their own holds. */
const needed: ReadonlyMap<string, string | undefined> = new Map([
  ['alsa', capturePermission],
  ['jack', capturePermission],
  ['pipewire', capturePermission],
  ['radio', openUrls],
  ['clip', undefined],
  ['meta', undefined],
  ['rtp', undefined],
  ['tcp', undefined],
  ['tone', undefined],
  ['udp', undefined],
  ['process', undefined],
  ['airplay', undefined],
  ['librespot', undefined],
  ['spotify', undefined],
]);

export const streamMethods: readonly RpcMethod[] = [
  {
    name: 'Stream.AddStream',
    description: 'Add a stream, which starts at once',
    parameters: [
      {
        parameter: 'streamUri',
        type: 'string',
        description: 'address of the stream, as in the configuration',
      },
    ],
    returns: ['object', 'id of the stream'],
    needs: 'permission',
    async call(params, caller, { streams, access }) {
      const address = params.text('streamUri');
      if (address.length > maxStreamUriLength) {
        const fault = `the stream address is longer than ${maxStreamUriLength} characters: shorten it`;
        throw internalError(fault);
      }
      const login = caller.login ?? access.anonymous;
      const missing = permissionsFor(address).find((permission) => !login?.permits(permission));
      if (missing !== undefined) {
        const advice = login === access.anonymous ? `: ${withoutLogins}` : '';
        throw forbidden(`the permission "${missing}" is missing${advice}`);
      }
      const { id } = await streams.add(address, caller);
      return { id };
    },
  },
  {
    name: 'Stream.RemoveStream',
    description: 'Remove a stream',
    parameters: [idOf('Stream')],
    returns: ['object', 'id of the stream'],
    needs: 'permission',
    async call(params, caller, { streams }) {
      const id = params.text('id');
      await streams.remove(id, caller);
      return { id };
    },
  },
  onStream({
    name: 'Stream.Control',
    description: 'Control what a stream plays',
    parameters: [
      { parameter: 'command', type: 'string', description: controlCommands.join(', ') },
      {
        parameter: 'params',
        type: 'object',
        description: 'for seek: offset, for setPosition: position, both in seconds',
      },
    ],
    returns: ['string', 'ok'],
    call: (channel, { params }) => controlStream(channel, params),
  }),
  onStream({
    name: 'Stream.SetProperty',
    description: 'Set a property of a stream',
    parameters: [
      { parameter: 'property', type: 'string', description: streamProperties.join(', ') },
      { parameter: 'value', type: 'any', description: 'the new value' },
    ],
    returns: ['string', 'ok'],
    call: (channel, { params }) => setStreamProperty(channel, params),
  }),
];

/** Failure: throws a `SourceError` for what is no address. */
function permissionsFor(address: string): readonly string[] {
  const { scheme, query } = parseStreamUri(address);
  const ofKind = needed.has(scheme) ? needed.get(scheme) : readFiles;
  const ofUse = 'announce' in query ? makeAnnouncements : undefined;
  return [ofKind, permissionForDescription(query.sdp), ofUse].filter(
    (permission) => permission !== undefined,
  );
}

/** Of a network source. */
function permissionForDescription(place: string | undefined): string | undefined {
  if (place === undefined) return undefined;
  return /^https?:/i.test(place) ? openUrls : readFiles;
}
