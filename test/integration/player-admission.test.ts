import { afterEach, describe, expect, it } from 'vitest';
import { type Access, type Login, openAccess } from '../../src/auth/access.ts';
import { RpcError } from '../../src/base/errors.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { type Credentials, decodeRefusal, encodeHello } from '../../src/protocol/messages.ts';
import { PlayerRig } from '../support/player-rig.ts';
import { helloOf, ScriptedClient } from '../support/scripted-client.ts';
import { turn, until } from '../support/waiting.ts';

const auth: Credentials = { scheme: 'Basic', param: 'c2VjcmV0' };
let rig: PlayerRig;

afterEach(async () => {
  expect(await rig.close(), 'the pool is full').toBe(true);
  expect(JSON.stringify(rig.log.lines)).not.toContain(auth.param);
});

async function start(access: Access, helloTimeoutMs = 5000): Promise<void> {
  rig = await PlayerRig.open(['tone:///?name=Tone&codec=pcm'], { access, helloTimeoutMs });
}

/** Somebody who may do what `permissions` name. */
function user(...permissions: string[]): Login {
  return { user: 'somebody', permits: (permission) => permissions.includes(permission) };
}

/** Nobody gets in without a login, which is decided here. */
function closed(login: (credentials: Credentials) => Promise<Login>): Access {
  return { anonymous: undefined, login };
}

async function greet(id: string, withAuth?: Credentials): Promise<ScriptedClient> {
  return rig.keep(await ScriptedClient.greet(rig.port, id, withAuth && { auth: withAuth }));
}

/** What a client was told when it was refused; nothing else was said. */
async function refusalOf(client: ScriptedClient) {
  await client.untilClosed();
  const [error, ...others] = client.received.filter(({ type }) => type !== messageType.time);
  expect(others).toEqual([]);
  expect(error).toMatchObject({ type: messageType.error, id: 0, refersTo: 2 });
  return error && decodeRefusal(error.body);
}

describe('a player that has to log in', () => {
  it('is refused without credentials, told why, and not remembered', async () => {
    await start(closed(async () => user('Streaming')));
    const refusal = await refusalOf(await greet('a'));
    expect(refusal).toEqual({
      code: 401,
      name: 'Unauthorized',
      detail: 'Authentication required',
    });
    expect(rig.registry.clients.size).toBe(0);
    expect(rig.takeChanges()).toEqual([]);
    await until(() => rig.log.with('session closed').length > 0);
    expect(rig.log.with('refused: Unauthorized, Authentication required')).toHaveLength(1);
  });

  it('is told what was wrong with its credentials', async () => {
    await start(
      closed(async () => {
        throw new RpcError(4, 'Wrong password');
      }),
    );
    const refusal = await refusalOf(await greet('a', auth));
    expect(refusal).toEqual({ code: 401, name: 'Unauthorized', detail: 'Wrong password' });
  });

  it('is not told what went wrong inside, which may quote its credentials', async () => {
    await start(
      closed(async ({ param }) => {
        throw new Error(`cannot read ${param}`);
      }),
    );
    const refusal = await refusalOf(await greet('a', auth));
    expect(refusal).toMatchObject({ code: 401, detail: 'Login failed' });
  });

  it('needs the permission to play', async () => {
    await start(closed(async () => user('Client.SetVolume')));
    const refusal = await refusalOf(await greet('a', auth));
    expect(refusal).toMatchObject({ code: 403, name: 'Forbidden' });
    expect(rig.registry.clients.size).toBe(0);
  });

  it('plays when both are right, and its credentials are not kept', async () => {
    const shown: Credentials[] = [];
    await start(
      closed(async (credentials) => {
        shown.push(credentials);
        return user('Streaming');
      }),
    );
    const client = await greet('a', auth);
    await client.untilCount(messageType.wireChunk, 3);
    expect(client.received.slice(0, 2).map(({ type, refersTo }) => [type, refersTo])).toEqual([
      [messageType.serverSettings, 2],
      [messageType.codecHeader, 0],
    ]);
    expect(shown).toEqual([auth]);
    const { group: _, ...kept } = rig.client('a');
    expect(JSON.stringify(kept)).not.toContain(auth.param);
  });

  it('ends a connection that plays when it says Hello again without them', async () => {
    await start(closed(async () => user('Streaming')));
    const client = await greet('a', auth);
    await client.untilCount(messageType.wireChunk, 1);
    client.send(encodeHello(helloOf('b'), 9));
    await client.untilClosed();
    expect(client.of(messageType.error)).toMatchObject([{ refersTo: 9 }]);
    await until(() => !rig.client('a').isConnected);
    expect([...rig.registry.clients.keys()]).toEqual(['a']);
  });
});

describe('a player that was welcome and then is refused', () => {
  it('gets nothing behind the refusal, whatever is done with its client', async () => {
    await start(closed(async () => user('Streaming')));
    const client = await greet('a', auth);
    await client.untilCount(messageType.wireChunk, 1);
    client.send(encodeHello(helloOf('a'), 9));
    await client.untilCount(messageType.error, 1);
    rig.groups.setVolume(rig.client('a'), { percent: 30, muted: true });
    rig.groups.setVolume(rig.client('a'), { muted: false });
    rig.groups.setClients(rig.group('a'), []);
    rig.server.reroute();
    await client.untilClosed();
    expect(client.received.at(-1)?.type).toBe(messageType.error);
    await until(() => !rig.client('a').isConnected);
    expect(rig.streams.default?.broadcast.subscribers).toBe(0);
  });

  it('may be deleted in between', async () => {
    await start(closed(async () => user('Streaming')));
    const client = await greet('a', auth);
    await client.untilCount(messageType.wireChunk, 1);
    client.send(encodeHello(helloOf('a'), 9));
    await client.untilCount(messageType.error, 1);
    rig.groups.deleteClient(rig.client('a'));
    await client.untilClosed();
    expect(rig.registry.clients.size).toBe(0);
    const kinds = rig.takeChanges().map(([kind]) => kind);
    expect(kinds.filter((kind) => kind.startsWith('client-'))).toEqual([
      'client-added',
      'client-removed',
    ]);
  });
});

/** A login that takes until the test ends it. */
function slowLogin() {
  const waiting: ((login: Login) => void)[] = [];
  const access = closed(() => new Promise((resolve) => waiting.push(resolve)));
  return { access, waiting };
}

describe('while a login is under way', () => {
  it('the time is told and nothing is played', async () => {
    const { access, waiting } = slowLogin();
    await start(access);
    const client = await greet('a', auth);
    client.requestTime(3);
    await client.untilCount(messageType.time, 1);
    expect(client.received).toHaveLength(1);
    expect(rig.registry.clients.size).toBe(0);
    waiting[0]?.(user('Streaming'));
    await client.untilCount(messageType.wireChunk, 1);
  });

  it('another Hello ends the connection, and there is no other login for it', async () => {
    const { access, waiting } = slowLogin();
    await start(access);
    const client = await greet('a', auth);
    client.send(encodeHello(helloOf('b', { auth }), 3));
    await client.untilClosed();
    expect(rig.log.with('another Hello before the answer')).toHaveLength(1);
    expect(waiting).toHaveLength(1);
  });

  it('the patience for the Hello still ends', async () => {
    const { access } = slowLogin();
    await start(access, 50);
    const client = await greet('a', auth);
    await client.untilClosed();
    expect(rig.log.with('no Hello within 50 ms')).toHaveLength(1);
  });

  it.each([
    ['in', user('Streaming')],
    ['nowhere', user()],
  ])('a client may go, and the login leads %s', async (_, login) => {
    const { access, waiting } = slowLogin();
    await start(access);
    const client = await greet('a', auth);
    await until(() => waiting.length === 1);
    client.close();
    await until(() => rig.server.sessionCount === 0);
    waiting[0]?.(login);
    await turn();
    expect(rig.registry.clients.size).toBe(0);
    expect(rig.takeChanges()).toEqual([]);
  });

  it('what was refused is not heard any more', async () => {
    await start(closed(async () => user()));
    const client = await greet('a', auth);
    await client.untilCount(messageType.error, 1);
    client.send(encodeHello(helloOf('a', { auth }), 3));
    client.requestTime(4);
    await client.untilClosed();
    expect(client.received).toHaveLength(1);
  });
});

describe('where everybody may play', () => {
  it('credentials are not looked at', async () => {
    const login = async () => Promise.reject(new RpcError(4, 'Wrong password'));
    await start({ ...openAccess, login });
    const client = await greet('a', { scheme: 'unheard of', param: auth.param });
    await client.untilCount(messageType.wireChunk, 1);
  });

  it('but nobody may play without the permission', async () => {
    await start({ ...openAccess, anonymous: user() });
    expect(await refusalOf(await greet('a', auth))).toMatchObject({ code: 403 });
  });
});
