import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Access, type Login, openAccess } from '../../../src/auth/access.ts';
import { RpcError } from '../../../src/base/errors.ts';
import { allMethods } from '../../../src/control/methods/all-methods.ts';
import { RpcRig } from '../../support/rpc-rig.ts';

let rig: RpcRig;

async function begin(access: Access = openAccess): Promise<void> {
  rig = new RpcRig(access);
  await rig.stream('tone:///?name=one');
  await rig.stream('tone:///?name=two&codec=pcm');
  await rig.stream('tone:///?name=hidden&codec=null');
  rig.join('a');
  rig.join('b');
}

const groupOf = (id: string) => String(rig.registry.clients.get(id)?.group.id);
const kinds = () =>
  rig.changes.filter(({ by }) => by === rig.caller).map(({ change }) => change.kind);
const missing = (name: string) => ({
  code: -32602,
  data: `Parameter '${name}' is missing`,
  message: 'Invalid params',
});
const internal = (data: string) => ({ code: -32603, data, message: 'Internal error' });

beforeEach(() => begin());
afterEach(() => rig.close());

describe('Client', () => {
  it('.GetStatus tells about one client', async () => {
    expect(await rig.call('Client.GetStatus', { id: 'a' })).toEqual({
      client: JSON.parse(rig.status.client(rig.join('a')).text),
    });
  });

  it.each([
    [{ percent: 40 }, { muted: false, percent: 40 }],
    [{ muted: true }, { muted: true, percent: 100 }],
    [
      { percent: 30, muted: true },
      { muted: true, percent: 30 },
    ],
    [{}, { muted: false, percent: 100 }],
    [
      { percent: '5', muted: 1 },
      { muted: false, percent: 100 },
    ],
    [{ percent: 250 }, { muted: false, percent: 100 }],
    [{ percent: -5 }, { muted: false, percent: 0 }],
    [{ percent: 33.7 }, { muted: false, percent: 34 }],
    [{ percent: 1e300 }, { muted: false, percent: 100 }],
  ])('.SetVolume %j answers the volume in force', async (volume, result) => {
    expect(await rig.call('Client.SetVolume', { id: 'a', volume })).toEqual({ volume: result });
    expect(rig.registry.clients.get('a')).toMatchObject({
      volume: result.percent,
      isMuted: result.muted,
    });
    expect(kinds()).toEqual(['client-volume']);
  });

  it.each([
    [0, 0],
    [-20_000, -10_000],
    [99_999, 1000],
    [12.4, 12],
  ])('.SetLatency %j answers %j', async (latency, result) => {
    expect(await rig.call('Client.SetLatency', { id: 'a', latency })).toEqual({ latency: result });
    expect(kinds()).toEqual(['client-latency']);
  });

  it('.SetName answers the name untrimmed, and the status has it trimmed', async () => {
    expect(await rig.call('Client.SetName', { id: 'a', name: ' Küche "1" ' })).toEqual({
      name: ' Küche "1" ',
    });
    expect(kinds()).toEqual(['client-name']);
    expect(await rig.call('Client.GetStatus', { id: 'a' })).toMatchObject({
      client: { config: { name: 'Küche "1"' } },
    });
  });

  it.each([
    ['Client.GetStatus', {}, missing('id')],
    ['Client.GetStatus', ['a'], missing('id')],
    ['Client.GetStatus', { id: 'nobody' }, internal('Client not found')],
    ['Client.GetStatus', { id: 1 }, internal("Parameter 'id' must be a string")],
    ['Client.SetVolume', { id: 'nobody', volume: {} }, internal('Client not found')],
    ['Client.SetVolume', { id: 'a' }, missing('volume')],
    ['Client.SetVolume', { id: 'a', volume: 5 }, internal("Parameter 'volume' must be an object")],
    ['Client.SetLatency', { id: 'nobody', latency: 1 }, internal('Client not found')],
    ['Client.SetLatency', { id: 'a' }, missing('latency')],
    [
      'Client.SetLatency',
      { id: 'a', latency: '1' },
      internal("Parameter 'latency' must be a number"),
    ],
    ['Client.SetName', { id: 'nobody', name: '' }, internal('Client not found')],
    ['Client.SetName', { id: 'a' }, missing('name')],
    ['Client.SetName', { id: 'a', name: null }, internal("Parameter 'name' must be a string")],
  ])('refuses %s %j and changes nothing', async (method, params, error) => {
    expect(await rig.call(method, params)).toEqual(error);
    expect(kinds()).toEqual([]);
  });
});

describe('Group', () => {
  it('.GetStatus tells about one group', async () => {
    expect(await rig.call('Group.GetStatus', { id: groupOf('a') })).toEqual({
      group: {
        id: groupOf('a'),
        muted: false,
        name: '',
        stream_id: 'one',
        clients: [JSON.parse(rig.status.client(rig.join('a')).text)],
      },
    });
  });

  it('.SetName, .SetMute and .SetStream answer what is in force', async () => {
    const id = groupOf('a');
    expect(await rig.call('Group.SetName', { id, name: ' All ' })).toEqual({ name: ' All ' });
    expect(await rig.call('Group.SetMute', { id, mute: true })).toEqual({ mute: true });
    expect(await rig.call('Group.SetStream', { id, stream_id: 'two' })).toEqual({
      stream_id: 'two',
    });
    expect(kinds()).toEqual(['group-name', 'group-mute', 'group-stream']);
    expect(await rig.call('Group.GetStatus', { id })).toMatchObject({
      group: { muted: true, name: 'All', stream_id: 'two' },
    });
  });

  it('.SetClients answers the complete status', async () => {
    const result = await rig.call('Group.SetClients', {
      id: groupOf('a'),
      clients: ['b', 'a', 'x'],
    });
    expect(result).toMatchObject({
      server: { groups: [{ clients: [{ id: 'a' }, { id: 'b' }] }], streams: [{}, {}] },
    });
    expect(kinds()).toEqual(['groups']);
  });

  it.each([
    ['Group.GetStatus', {}, missing('id')],
    ['Group.GetStatus', { id: 'x' }, internal('Group not found')],
    ['Group.SetName', { id: 'x', name: '' }, internal('Group not found')],
    ['Group.SetName', {}, missing('name')],
    ['Group.SetMute', { id: 'x', mute: true }, internal('Group not found')],
    ['Group.SetMute', {}, missing('mute')],
    ['Group.SetMute', { mute: 1 }, internal("Parameter 'mute' must be true or false")],
    ['Group.SetStream', { id: 'x', stream_id: 'one' }, internal('Group not found')],
    ['Group.SetStream', {}, missing('stream_id')],
    ['Group.SetStream', { stream_id: 'x' }, internal('Stream not found')],
    ['Group.SetStream', { stream_id: 'hidden' }, internal('Stream not found')],
    ['Group.SetClients', { id: 'x', clients: [] }, internal('Group not found')],
    ['Group.SetClients', {}, missing('clients')],
    [
      'Group.SetClients',
      { clients: 'a' },
      internal("Parameter 'clients' must be an array of strings"),
    ],
    [
      'Group.SetClients',
      { clients: [1] },
      internal("Parameter 'clients' must be an array of strings"),
    ],
  ])('refuses %s %j and changes nothing', async (method, params, error) => {
    const withId = method === 'Group.GetStatus' ? params : { id: groupOf('a'), ...params };
    expect(await rig.call(method, withId)).toEqual(error);
    expect(kinds()).toEqual([]);
  });
});

describe('Server', () => {
  it('.GetStatus lists all but the hidden streams', async () => {
    expect(await rig.call('Server.GetStatus', {})).toMatchObject({
      server: {
        groups: [{ clients: [{ id: 'a' }] }, { clients: [{ id: 'b' }] }],
        streams: [{ id: 'one' }, { id: 'two' }],
      },
    });
  });

  it('.GetRPCVersion is 23.0.0', async () => {
    expect(await rig.call('Server.GetRPCVersion')).toEqual({ major: 23, minor: 0, patch: 0 });
  });

  it('.DeleteClient answers the complete status without the client', async () => {
    const result = await rig.call('Server.DeleteClient', { id: 'a' });
    expect(result).toMatchObject({ server: { groups: [{ clients: [{ id: 'b' }] }] } });
    expect(kinds()).toEqual(['client-removed']);
    expect(await rig.call('Server.DeleteClient', { id: 'a' })).toEqual(
      internal('Client not found'),
    );
    expect(await rig.call('Server.DeleteClient', {})).toEqual(missing('id'));
  });
});

describe('Server.Authenticate', () => {
  const anna: Login = { user: 'anna', permits: (name) => name.startsWith('Client.') };
  const locked: Access = {
    anonymous: undefined,
    login: async ({ scheme, param }) => {
      if (scheme === 'Plain' && param === 'anna:secret') return anna;
      throw new RpcError(4, 'Wrong password');
    },
    issueToken: async ({ user }, seconds) => (seconds > 3600 ? `${user} ${seconds}` : undefined),
  };

  it('accepts everything but Bearer while authorization is off', async () => {
    expect(await rig.call('Server.Authenticate', { scheme: 'BASIC', param: 'x' })).toBe('ok');
    expect(await rig.call('Server.Authenticate', { scheme: 'Bearer', param: 'x' })).toEqual({
      code: 1,
      message: 'Authentication scheme not supported',
    });
    expect(await rig.call('Server.Authenticate', { scheme: 'Basic' })).toEqual(missing('param'));
    expect(await rig.call('Server.Authenticate', { param: '' })).toEqual(missing('scheme'));
  });

  it('gives a token to who has logged in, for a time that has a limit', async () => {
    await rig.close();
    await begin(locked);
    const token = (params: object) => rig.call('Login.GetToken', params);
    expect(await token({})).toMatchObject({ code: 401 });
    await rig.call('Server.Authenticate', { scheme: 'Plain', param: 'anna:secret' });
    expect(await token({})).toEqual({ token: 'anna 36000' });
    expect(await token({ hours: 720 })).toEqual({ token: 'anna 2592000' });
    expect(await token({ hours: 1 })).toMatchObject({ code: 403 });
    for (const hours of [0, -1, 721]) {
      expect(await token({ hours })).toEqual(
        internal("Parameter 'hours' must be above 0 and up to 720"),
      );
    }
  });

  it('logs the caller in, also for the rest of its batch', async () => {
    await rig.close();
    await begin(locked);
    const unauthorized = { code: 401, message: 'Unauthorized' };
    expect(await rig.call('Client.GetStatus', { id: 'a' })).toEqual(unauthorized);
    expect(await rig.call('General.GetRPCCommands')).toEqual(unauthorized);
    const login = (param: string) => rig.call('Server.Authenticate', { scheme: 'Plain', param });
    expect(await login('anna:guess')).toEqual({ code: 4, message: 'Wrong password' });
    // Whoever guesses a thousand times does not fill the log.
    await login('anna:another guess');
    expect(rig.caller.login).toBeUndefined();
    const refusal = { remoteAddress: '10.0.0.9', reason: 'Wrong password' };
    expect(rig.log.with('login refused')).toMatchObject([{ level: 'warn', fields: refusal }]);
    expect(rig.log.with('guess')).toEqual([]);
    const request = (id: number, method: string, params: object) =>
      JSON.stringify({ id, jsonrpc: '2.0', method, params });
    const batch = [
      request(1, 'Client.SetLatency', { id: 'a', latency: 5 }),
      request(2, 'Server.Authenticate', { scheme: 'Plain', param: 'anna:secret' }),
      request(3, 'Client.SetLatency', { id: 'a', latency: 6 }),
      request(4, 'Server.GetStatus', {}),
    ];
    expect(JSON.parse(String(await rig.ask(`[${batch.join()}]`)))).toMatchObject([
      { error: unauthorized },
      { result: 'ok' },
      { result: { latency: 6 } },
      { error: { code: 403, message: 'Forbidden' } },
    ]);
    expect(rig.caller.login).toBe(anna);
    const { commands } = (await rig.call('General.GetRPCCommands')) as {
      commands: { method: string; hasPermission: boolean }[];
    };
    const allowed = commands.filter(({ hasPermission }) => hasPermission);
    expect(allowed.map(({ method }) => method)).toEqual([
      'Client.GetStatus',
      'Client.SetLatency',
      'Client.SetName',
      'Client.SetVolume',
      'General.GetRPCCommands',
      'Login.GetToken',
      'Server.Authenticate',
    ]);
  });
});

describe('General.GetRPCCommands', () => {
  it('lists all methods, sorted, with what they need', async () => {
    const { commands } = (await rig.call('General.GetRPCCommands')) as {
      commands: { method: string; description: object }[];
    };
    expect(commands.map(({ method }) => method)).toEqual([
      'Announce.GetClips',
      'Announce.GetRecent',
      'Announce.List',
      'Announce.Play',
      'Announce.PlayAgain',
      'Announce.Stop',
      'Client.GetStatus',
      'Client.SetLatency',
      'Client.SetName',
      'Client.SetVolume',
      'Clips.AddClip',
      'Clips.Cancel',
      'Clips.DeleteClip',
      'Clips.DownloadClip',
      'Clips.GetClip',
      'Clips.GetClips',
      'Clips.GetStatistics',
      'Clips.RenameClip',
      'Clips.UploadClip',
      'General.GetRPCCommands',
      'Group.GetStatus',
      'Group.SetClients',
      'Group.SetMute',
      'Group.SetName',
      'Group.SetStream',
      'Login.GetToken',
      'Scene.Apply',
      'Scene.Delete',
      'Scene.List',
      'Scene.Rename',
      'Scene.Save',
      'Server.Authenticate',
      'Server.DeleteClient',
      'Server.GetRPCVersion',
      'Server.GetStatus',
      'Server.ReloadConfig',
      'Stream.AddStream',
      'Stream.Control',
      'Stream.RemoveStream',
      'Stream.SetProperty',
    ]);
    const about = (name: string) => commands.find(({ method }) => method === name);
    expect(about('Client.GetStatus')).toEqual({
      method: 'Client.GetStatus',
      hasPermission: true,
      requires: { authentication: true, authorization: true },
      description: {
        description: 'Get the status of a client',
        parameters: [{ parameter: 'id', type: 'string', description: 'id of the client' }],
        return: ['object', 'the client'],
      },
    });
    expect(about('General.GetRPCCommands')).toMatchObject({
      requires: { authentication: true, authorization: false },
    });
    expect(about('Server.Authenticate')).toMatchObject({
      requires: { authentication: false, authorization: false },
    });
    expect(about('Server.GetStatus')?.description).not.toHaveProperty('parameters');
  });
});

describe('Scene.List', () => {
  it('writes a large scene no more once it was saved', async () => {
    const groups = Array.from({ length: 5000 }, (_, index) => ({
      id: `group ${index}`,
      clients: [{ id: `client ${index}` }],
    }));
    const msOf = async (method: string, params: object) => {
      const text = JSON.stringify({ id: 1, jsonrpc: '2.0', method, params });
      const startMs = performance.now();
      await rig.ask(text);
      return performance.now() - startMs;
    };
    const savedMs = await msOf('Scene.Save', { name: 'Evening', scene: { groups } });
    const listedMs: number[] = [];
    for (let count = 0; count < 10; count += 1) listedMs.push(await msOf('Scene.List', {}));
    expect(Math.min(...listedMs)).toBeLessThan(savedMs / 10);
    const { scenes } = (await rig.call('Scene.List')) as {
      scenes: readonly { groups: object[] }[];
    };
    expect(scenes[0]?.groups).toHaveLength(5000);
  });
});

describe('parameters that are null', () => {
  it.each(allMethods.map(({ name }) => name))('equal those that are absent: %s', async (name) => {
    // `lastSeen` and the like move on: the same moment for both.
    const absent = await rig.call(name);
    expect(await rig.call(name, null)).toEqual(absent);
  });
});
