import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noProperties } from '../../../src/audio/stream-properties.ts';
import { RpcError } from '../../../src/base/errors.ts';
import { RpcRig } from '../../support/rpc-rig.ts';

const everything = {
  canControl: true,
  canGoNext: true,
  canGoPrevious: true,
  canPause: true,
  canPlay: true,
  canSeek: true,
};
let rig: RpcRig;

beforeEach(async () => {
  rig = new RpcRig();
  writeFileSync(join(rig.folder, 'player'), '');
  await rig.stream('tone:///?name=default');
  await rig.stream('tone:///?name=played&controlscript=player');
  rig.script.tell(everything);
});

afterEach(() => rig.close());

const control = (command?: unknown, params?: unknown, id = 'played') =>
  rig.call('Stream.Control', { id, command, params });
const set = (property?: unknown, value?: unknown, id = 'played') =>
  rig.call('Stream.SetProperty', { id, property, value });
const invalid = (data: string) => ({ code: -32602, data, message: 'Invalid params' });
const internal = (data: string) => ({ code: -32603, data, message: 'Internal error' });

describe('Stream.AddStream', () => {
  it('answers the name of the stream, which others are told of', async () => {
    const streamUri = `tcp://127.0.0.1:0?sampleformat=48000:16:2&name=Music Assistant - ü`;
    expect(await rig.call('Stream.AddStream', { streamUri })).toEqual({
      id: 'Music Assistant - ü',
    });
    expect(rig.changes.at(-1)).toMatchObject({ change: { kind: 'stream-added' }, by: rig.caller });
    expect(await rig.call('Server.GetStatus')).toMatchObject({
      server: { streams: [{}, {}, { id: 'Music Assistant - ü', status: 'idle' }] },
    });
  });

  it('needs a permission of its own for what lies on this machine', async () => {
    const permissions = ['Stream.AddStream'];
    rig.caller.login = { user: 'ann', permits: (name) => permissions.includes(name) };
    const addStream = (streamUri: string) => rig.call('Stream.AddStream', { streamUri });
    const local = [`pipe://${rig.folder}/fifo?name=F`, `file://${rig.folder}/player?name=F`];
    for (const address of [...local, 'PIPE:///x?name=F', 'unheard-of:///?name=F']) {
      expect(await addStream(address)).toEqual({
        code: 403,
        message: 'Forbidden',
        data: 'the permission "Stream.AddStream.File" is missing',
      });
    }
    expect(await addStream('tcp://127.0.0.1:0?name=T')).toEqual({ id: 'T' });
    permissions.push('Stream.AddStream.File');
    expect(await addStream(local[0] ?? '')).toEqual({ id: 'F' });
  });

  it.each(['alsa', 'jack', 'pipewire'])(
    'needs a permission of its own for what %s hears of this machine',
    async (scheme) => {
      const permissions = ['Stream.AddStream', 'Stream.AddStream.File'];
      rig.caller.login = { user: 'ann', permits: (name) => permissions.includes(name) };
      // With a codec that there is not, it fails also when it is permitted.
      const add = () =>
        rig.call('Stream.AddStream', { streamUri: `${scheme}:///?name=M&codec=none` });
      expect(await add()).toMatchObject({
        code: 403,
        data: expect.stringContaining('the permission "Stream.AddStream.Capture" is missing'),
      });
      permissions.push('Stream.AddStream.Capture');
      expect(await add()).toMatchObject({ code: -32603, data: expect.stringContaining('codec') });
    },
  );

  it.each([
    ['/etc/x.sdp', 'Stream.AddStream.File'],
    ['http://192.0.2.1/x.sdp', 'Stream.AddStream.Radio'],
  ])('needs the permission for what describes a network source: %s', async (sdp, permission) => {
    rig.caller.login = { user: 'ann', permits: (name) => name === 'Stream.AddStream' };
    const add = (streamUri: string) => rig.call('Stream.AddStream', { streamUri });
    expect(await add(`rtp:///?name=M&sdp=${sdp}`)).toMatchObject({
      code: 403,
      data: expect.stringContaining(`the permission "${permission}" is missing`),
    });
    // With a codec that there is not, it fails also when it is permitted.
    for (const scheme of ['rtp', 'udp']) {
      expect(await add(`${scheme}://127.0.0.1:0?name=M&codec=none`)).toMatchObject({
        code: -32603,
        data: expect.stringContaining('codec'),
      });
    }
  });

  it('needs a permission of its own for radio stations', async () => {
    const permissions = ['Stream.AddStream', 'Stream.AddStream.File'];
    rig.caller.login = { user: 'ann', permits: (name) => permissions.includes(name) };
    const add = () => rig.call('Stream.AddStream', { streamUri: 'radio:///?name=M' });
    expect(await add()).toMatchObject({
      code: 403,
      data: expect.stringContaining('the permission "Stream.AddStream.Radio" is missing'),
    });
    permissions.push('Stream.AddStream.Radio');
    expect(await add()).toMatchObject({ code: -32603, data: expect.stringContaining('URL') });
  });

  it('names the setting by which all may hear this machine where there are no logins', async () => {
    expect(await rig.call('Stream.AddStream', { streamUri: 'alsa:///?name=M' })).toMatchObject({
      code: 403,
      data: expect.stringContaining('allow_capture in the section [stream]'),
    });
  });

  it.each([
    [{}, invalid("Parameter 'streamUri' is missing")],
    [{ streamUri: 5 }, internal("Parameter 'streamUri' must be a string")],
    [{ streamUri: 'tone:///?name=default' }, internal('Stream with name "default" already exists')],
    [
      { streamUri: `pipe:///${'x'.repeat(8200)}?name=x` },
      internal('the stream address is longer than 8192 characters: shorten it'),
    ],
    [{ streamUri: 'nonsense' }, { ...internal(''), data: expect.stringContaining('nonsense') }],
    [{ streamUri: 'tone:///' }, { ...internal(''), data: expect.stringContaining('lacks a name') }],
    [
      { streamUri: 'process:///bin/cat?name=x' },
      { ...internal(''), data: expect.stringContaining('must be located in') },
    ],
    [
      { streamUri: 'tone:///?name=x&controlscript=nope' },
      { ...invalid(''), data: expect.stringContaining('does not exist') },
    ],
  ])('refuses %j, and nothing stays behind', async (params, error) => {
    expect(await rig.call('Stream.AddStream', params)).toEqual(error);
    expect([...rig.streams.channels.keys()]).toEqual(['default', 'played']);
  });
});

describe('Stream.RemoveStream', () => {
  it('answers the id, also when there is no such stream', async () => {
    expect(await rig.call('Stream.RemoveStream', { id: 'played' })).toEqual({ id: 'played' });
    expect(rig.changes.at(-1)).toMatchObject({
      change: { kind: 'stream-removed' },
      by: rig.caller,
    });
    expect(await rig.call('Stream.RemoveStream', { id: 'played' })).toEqual({ id: 'played' });
    expect(await rig.call('Server.GetStatus')).toMatchObject({
      server: { streams: [{ id: 'default' }] },
    });
    expect(await rig.call('Stream.RemoveStream', {})).toEqual(invalid("Parameter 'id' is missing"));
  });
});

describe('Stream.Control', () => {
  it.each([
    ['play', undefined, ['play']],
    ['pause', {}, ['pause']],
    ['playPause', undefined, ['playPause']],
    ['stop', undefined, ['stop']],
    ['next', undefined, ['next']],
    ['previous', undefined, ['previous']],
    ['seek', { offset: -2.5 }, ['seek', { offset: -2.5 }]],
    ['setPosition', { position: 30, more: 1 }, ['setPosition', { position: 30 }]],
  ])('passes on %s %j and answers when the player has answered', async (command, params, asked) => {
    let answered = false;
    rig.script.answer = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      answered = true;
    };
    expect(await control(command, params)).toBe('ok');
    expect(answered).toBe(true);
    expect(rig.script.asked).toEqual([asked]);
  });

  it.each([
    ['play', 'canPlay', { code: 4, message: 'Stream property canPlay is false' }],
    ['pause', 'canPause', { code: 5, message: 'Stream property canPause is false' }],
    ['playPause', 'canPause', { code: 4, message: 'Stream property canPlay is false' }],
    ['stop', 'canControl', { code: 7, message: 'Stream property canControl is false' }],
    ['next', 'canGoNext', { code: 2, message: 'Stream property canGoNext is false' }],
    ['previous', 'canGoPrevious', { code: 3, message: 'Stream property canGoPrevious is false' }],
    ['seek', 'canSeek', { code: 6, message: 'Stream property canSeek is false' }],
    ['setPosition', 'canSeek', { code: 6, message: 'Stream property canSeek is false' }],
  ])('%s is refused without asking the player when %s is false', async (command, flag, error) => {
    rig.script.tell({ ...everything, [flag]: false });
    expect(await control(command, { offset: 1, position: 1 })).toEqual(error);
    expect(rig.script.asked).toEqual([]);
    // And by this flag alone.
    rig.script.tell({ ...noProperties, [flag]: true });
    expect(await control(command, { offset: 1, position: 1 })).toBe('ok');
  });

  it.each([
    ['nope', {}, invalid("Command 'nope' not supported")],
    ['x'.repeat(5000), {}, invalid(`Command '${'x'.repeat(100)}…' not supported`)],
    ['seek', undefined, invalid("Seek requires parameter 'offset'")],
    ['seek', { position: 1 }, invalid("Seek requires parameter 'offset'")],
    ['seek', { offset: '1' }, internal("Parameter 'offset' must be a number")],
    ['setPosition', {}, invalid("setPosition requires parameter 'position'")],
    ['setPosition', 5, internal("Parameter 'params' must be an object")],
    [undefined, {}, invalid("Parameter 'command' is missing")],
    [1, {}, internal("Parameter 'command' must be a string")],
  ])('refuses %s %j', async (command, params, error) => {
    expect(await control(command, params)).toEqual(error);
    expect(rig.script.asked).toEqual([]);
  });

  it('answers what the player says when it refuses', async () => {
    rig.script.answer = async () => {
      throw new RpcError(2, 'Stream can not go next: at the end');
    };
    expect(await control('next')).toEqual({
      code: 2,
      message: 'Stream can not go next: at the end',
    });
  });

  it('and .SetProperty in a batch are awaited', async () => {
    rig.script.answer = () => new Promise((resolve) => setImmediate(resolve));
    const request = (id: number, method: string, params: object) =>
      JSON.stringify({ id, jsonrpc: '2.0', method, params });
    const batch = [
      request(1, 'Stream.Control', { id: 'played', command: 'play' }),
      request(2, 'Stream.SetProperty', { id: 'played', property: 'mute', value: true }),
      request(3, 'Server.GetRPCVersion', {}),
    ];
    expect(await rig.ask(`[${batch.join()}]`)).toBe(
      '[{"id":1,"jsonrpc":"2.0","result":"ok"},{"id":2,"jsonrpc":"2.0","result":"ok"},' +
        '{"id":3,"jsonrpc":"2.0","result":{"major":23,"minor":0,"patch":0}}]',
    );
  });

  it('needs a stream that is there, and has a player', async () => {
    expect(await control('play', {}, 'nope')).toEqual(internal('Stream not found'));
    expect(await control('play', {}, 'default')).toEqual({
      code: 4,
      message: 'Stream property canPlay is false',
    });
  });
});

describe('Stream.SetProperty', () => {
  it.each([
    ['loopStatus', 'none', 'none'],
    ['loopStatus', 'track', 'track'],
    ['loopStatus', 'playlist', 'playlist'],
    ['shuffle', true, true],
    ['mute', false, false],
    ['volume', 40, 40],
    ['volume', -1, 0],
    ['volume', 101, 100],
    ['rate', 1, 1],
    ['rate', 0.5, 0.5],
  ])('passes on %s = %j', async (property, value, asked) => {
    expect(await set(property, value)).toBe('ok');
    expect(rig.script.asked).toEqual([[property, asked]]);
  });

  it('is refused without asking the player when canControl is false', async () => {
    rig.script.tell({ ...everything, canControl: false });
    expect(await set('mute', true)).toEqual({
      code: 7,
      message: 'Stream property canControl is false',
    });
    expect(rig.script.asked).toEqual([]);
  });

  it.each([
    ['volume', '5', invalid('Value for volume must be an int')],
    ['volume', 5.5, invalid('Value for volume must be an int')],
    [
      'loopStatus',
      'all',
      invalid("Value for loopStatus must be one of 'none', 'track', 'playlist'"),
    ],
    ['loopStatus', 1, invalid("Value for loopStatus must be one of 'none', 'track', 'playlist'")],
    ['shuffle', 1, invalid('Value for shuffle must be bool')],
    ['mute', 'true', invalid('Value for mute must be bool')],
    ['rate', '1', invalid('Value for rate must be float')],
    ['position', 1, invalid("Property 'position' not supported")],
    ['volume', undefined, invalid("Parameter 'value' is missing")],
    [undefined, 5, invalid("Parameter 'property' is missing")],
  ])('refuses %s = %j', async (property, value, error) => {
    expect(await set(property, value)).toEqual(error);
    expect(rig.script.asked).toEqual([]);
  });

  it('needs a stream that is there', async () => {
    expect(await set('mute', true, 'nope')).toEqual(internal('Stream not found'));
  });
});
