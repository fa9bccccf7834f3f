import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { maxSingleMoves } from '../../../src/control/notifier.ts';
import type { Change } from '../../../src/streams/change.ts';
import { intervals, NotifierRig, told } from '../../support/notifier-rig.ts';
import { turn, until } from '../../support/waiting.ts';

let rig: NotifierRig;

beforeEach(() => {
  rig = new NotifierRig();
});

afterEach(() => rig.close());

describe('notifications', () => {
  it('have the form that controllers know', async () => {
    const { ann, rig: scene } = rig;
    const channel = await rig.stream('F');
    const client = rig.known('cA');
    const { group } = client;
    scene.groups.setVolume(client, { percent: 50 });
    scene.groups.setLatency(client, 99);
    scene.groups.setClientName(client, 'Kitchen "1"');
    scene.groups.setMute(group, true);
    scene.groups.setGroupName(group, 'Küche');
    scene.groups.setStream(group, 'F');
    rig.pass();
    rig.announce({ kind: 'client-disconnected', client });
    rig.announce({ kind: 'client-connected', client });
    rig.announce({ kind: 'stream-state', channel });
    rig.announce({ kind: 'stream-properties', channel });
    const form = (method: string, params: string) =>
      `{"jsonrpc":"2.0","method":"${method}","params":${params}}`;
    const clientText = scene.status.client(client).text;
    expect(ann.texts).toEqual([
      form('Client.OnVolumeChanged', '{"id":"cA","volume":{"muted":false,"percent":50}}'),
      form('Client.OnLatencyChanged', '{"id":"cA","latency":99}'),
      form('Client.OnNameChanged', '{"id":"cA","name":"Kitchen \\"1\\""}'),
      form('Group.OnMute', `{"id":"${group.id}","mute":true}`),
      form('Group.OnNameChanged', `{"id":"${group.id}","name":"Küche"}`),
      form('Group.OnStreamChanged', `{"id":"${group.id}","stream_id":"F"}`),
      form('Client.OnDisconnect', `{"client":${clientText},"id":"cA"}`),
      form('Client.OnConnect', `{"client":${clientText},"id":"cA"}`),
      form('Stream.OnUpdate', `{"id":"F","stream":${scene.status.stream(channel).text}}`),
      form(
        'Stream.OnProperties',
        '{"id":"F","properties":{"canControl":false,"canGoNext":false,"canGoPrevious":false,"canPause":false,"canPlay":false,"canSeek":false}}',
      ),
    ]);
  });

  it('of many groups that a stream has moved at one time are a few, and the complete status', async () => {
    const { ann } = rig;
    const groups = Array.from({ length: 3000 }, (_, index) => rig.known(`c${index}`).group);
    await rig.settle();
    ann.messages.length = 0;
    for (const group of groups) {
      group.fallbackId = 'other';
      rig.announce({ kind: 'group-stream', group });
    }
    await until(() => ann.methods.includes('Server.OnUpdate'), 'the complete status');
    await rig.settle();
    expect(ann.methods.filter((method) => method === 'Group.OnStreamChanged')).toHaveLength(
      maxSingleMoves,
    );
    expect(ann.lastStatus.match(/"stream_id":"other"/g)).toHaveLength(groups.length);
    ann.messages.length = 0;
    rig.announce({ kind: 'group-stream', group: groups[0]! });
    expect(ann.methods).toEqual(['Group.OnStreamChanged']);
  });

  it('of what is new, gone or has moved are the complete status', async () => {
    const { ann, rig: scene } = rig;
    const channel = await rig.stream('F');
    const client = rig.known('cA');
    const changes: Change[] = [
      { kind: 'client-added', client },
      { kind: 'groups' },
      { kind: 'stream-added', channel },
      { kind: 'stream-removed', channel },
      { kind: 'client-removed', client },
    ];
    for (const [index, change] of changes.entries()) {
      rig.announce(change);
      await told(ann, index + 1);
      expect(ann.texts.at(-1)).toBe(
        `{"jsonrpc":"2.0","method":"Server.OnUpdate","params":{"server":${scene.status.server().text}}}`,
      );
    }
    expect(ann.messages).toHaveLength(changes.length);
  });

  it('go to all but the requester, and to nobody who may not listen', () => {
    const { ann, bob, eve } = rig;
    const client = rig.known('cA');
    eve.isListening = false;
    rig.announce({ kind: 'client-volume', client }, ann);
    rig.announce({ kind: 'client-name', client });
    expect(ann.methods).toEqual(['Client.OnNameChanged']);
    expect(bob.methods).toEqual(['Client.OnVolumeChanged', 'Client.OnNameChanged']);
    expect(eve.methods).toEqual([]);
    expect(rig.notifier.sent).toBe(3);
  });

  it('are told to whoever may ask for what they tell', async () => {
    const { ann, bob, eve } = rig;
    const client = rig.known('cA');
    const channel = await rig.stream('S');
    ann.permissions = ['Server.GetStatus'];
    bob.permissions = ['Client.GetStatus', 'Group.GetStatus', 'Client.SetVolume'];
    eve.permissions = ['Stream.Control', 'Group.SetStream'];
    rig.announce({ kind: 'client-name', client });
    rig.announce({ kind: 'group-name', group: client.group });
    rig.announce({ kind: 'stream-state', channel });
    rig.announce({ kind: 'stream-properties', channel });
    rig.announce({ kind: 'groups' });
    await told(ann, 5);
    expect(ann.methods.toSorted()).toEqual([
      'Client.OnNameChanged',
      'Group.OnNameChanged',
      'Server.OnUpdate',
      'Stream.OnProperties',
      'Stream.OnUpdate',
    ]);
    expect(bob.methods).toEqual(['Client.OnNameChanged', 'Group.OnNameChanged']);
    expect(eve.methods).toEqual([]);
  });

  it('tell of something new also to whoever does not get the complete status', async () => {
    const { ann, bob } = rig;
    bob.permissions = ['Client.GetStatus'];
    const client = rig.joins('cA');
    rig.announce({ kind: 'client-volume', client }, rig.eve);
    expect(bob.methods).toEqual(['Client.OnVolumeChanged']);
    await told(ann, 1);
    expect(ann.methods).toEqual(['Server.OnUpdate']);
    expect(bob.messages).toHaveLength(1);
  });

  it('are not made for those who may not ask', async () => {
    const server = vi.spyOn(rig.rig.status, 'server');
    for (const listener of rig.all) listener.permissions = ['Group.GetStatus'];
    rig.announce({ kind: 'groups' });
    await turn();
    await turn();
    expect(server).not.toHaveBeenCalled();
  });

  it('are made once for all', async () => {
    const client = rig.known('cA');
    rig.announce({ kind: 'client-volume', client });
    rig.announce({ kind: 'groups' });
    await told(rig.ann, 2);
    expect(rig.bob.messages).toHaveLength(2);
    for (const [index, message] of rig.ann.messages.entries()) {
      expect(rig.bob.messages[index]).toBe(message);
    }
  });

  it('are not made while nobody would get them', async () => {
    const server = vi.spyOn(rig.rig.status, 'server');
    rig.bob.isListening = false;
    rig.eve.isListening = false;
    rig.announce({ kind: 'groups' }, rig.ann);
    await turn();
    await turn();
    expect(server).not.toHaveBeenCalled();
    rig.announce({ kind: 'groups' });
    await told(rig.ann, 1);
    expect(server).toHaveBeenCalledTimes(1);
  });

  it('do not tell of streams without codec', async () => {
    const channel = await rig.stream('hidden', '&codec=null');
    rig.announce({ kind: 'stream-state', channel });
    rig.announce({ kind: 'stream-properties', channel });
    expect(rig.ann.methods).toEqual([]);
  });

  it('end with the notifier', async () => {
    const channel = await rig.stream('F');
    rig.announce({ kind: 'groups' });
    rig.notifier.stop();
    rig.announce({ kind: 'groups' });
    await turn();
    await turn();
    expect(rig.ann.methods).toEqual([]);
    rig.announce({ kind: 'stream-removed', channel });
  });
});

describe('the complete status', () => {
  it('is sent once for all that happens in one turn', async () => {
    rig.joins('c1');
    rig.joins('c2');
    rig.announce({ kind: 'groups' });
    expect(rig.ann.methods).toEqual([]);
    await turn();
    await turn();
    expect(rig.ann.methods).toEqual(['Server.OnUpdate']);
    expect(rig.ann.lastStatus).toContain('"id":"c2"');
  });

  it('is sent seldom while much happens, and says in the end how it is', async () => {
    const startMs = performance.now();
    for (let count = 1; count <= 100; count += 1) {
      rig.joins(`c${count}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const most = 2 + (performance.now() - startMs) / intervals.statusMs;
    await until(() => rig.ann.lastStatus.includes('"id":"c100"'));
    expect(rig.ann.messages.length).toBeGreaterThan(1);
    expect(rig.ann.messages.length).toBeLessThanOrEqual(most);
  });

  it('is not sent again when nothing more has happened', async () => {
    rig.joins('c1');
    await told(rig.ann, 1);
    await new Promise((resolve) => setTimeout(resolve, 3 * intervals.statusMs));
    expect(rig.ann.methods).toEqual(['Server.OnUpdate']);
  });

  it('leaves no timer behind when nobody is owed one', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    rig.joins('c1');
    for (let count = 0; count < 5; count += 1) {
      vi.advanceTimersByTime(intervals.statusMs);
      await turn();
    }
    expect(rig.ann.methods).toEqual(['Server.OnUpdate']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is not owed to those who come when all has happened', async () => {
    for (const listener of rig.all) listener.isListening = false;
    rig.joins('c1');
    rig.ann.isListening = true;
    await turn();
    await turn();
    expect(rig.ann.methods).toEqual([]);
    rig.joins('c2');
    await told(rig.ann, 1);
    expect(rig.ann.lastStatus).toContain('"id":"c1"');
  });

  it('is kept from a requester that has caused all of it', async () => {
    rig.announce({ kind: 'groups' }, rig.ann);
    rig.announce({ kind: 'groups' }, rig.ann);
    await told(rig.bob, 1);
    expect(rig.ann.methods).toEqual([]);
  });

  it.each(['first', 'last'])('goes to a requester that was only %s to change it', async (place) => {
    const requesters = place === 'first' ? [rig.ann, undefined] : [undefined, rig.ann];
    for (const by of requesters) rig.announce({ kind: 'groups' }, by);
    await told(rig.ann, 1);
    expect(rig.bob.messages).toHaveLength(1);
  });

  it('goes to both of two requesters', async () => {
    rig.announce({ kind: 'groups' }, rig.ann);
    rig.announce({ kind: 'groups' }, rig.bob);
    rig.announce({ kind: 'groups' }, rig.ann);
    await told(rig.ann, 1);
    expect(rig.bob.messages).toHaveLength(1);
  });

  it('tells who has deleted a client that it is back', async () => {
    const { ann, bob, rig: scene } = rig;
    const client = rig.known('cA');
    scene.groups.deleteClient(client, ann);
    rig.pass();
    await told(bob, 1);
    expect(ann.methods).toEqual([]);
    rig.joins('cA');
    await told(ann, 1);
    expect(ann.lastStatus).toContain('"id":"cA"');
    await told(bob, 2);
  });

  it('tells it as well when the client is back before others know that it was gone', async () => {
    const { ann, bob, rig: scene } = rig;
    scene.groups.deleteClient(rig.known('cA'), ann);
    rig.pass();
    const back = rig.joins('cA');
    rig.announce({ kind: 'client-volume', client: back });
    await told(ann, 1);
    expect(ann.methods).toEqual(['Server.OnUpdate']);
    expect(bob.methods).toEqual(['Server.OnUpdate']);
    expect(ann.lastStatus).toContain('"id":"cA"');
  });
});

describe('what is new', () => {
  it('is not mentioned before the complete status has told of it', async () => {
    const { ann, bob } = rig;
    const client = rig.joins('cA');
    rig.rig.groups.setVolume(client, { percent: 7 }, bob);
    rig.rig.groups.setMute(client.group, true);
    rig.pass();
    rig.announce({ kind: 'client-disconnected', client });
    await told(ann, 1);
    expect(ann.methods).toEqual(['Server.OnUpdate']);
    expect(bob.methods).toEqual(['Server.OnUpdate']);
    expect(bob.lastStatus).toContain('"percent":7');
    rig.rig.groups.setVolume(client, { percent: 8 });
    rig.pass();
    expect(ann.methods).toEqual(['Server.OnUpdate', 'Client.OnVolumeChanged']);
  });

  it('does not keep back what is told about others', async () => {
    const old = rig.known('old');
    rig.joins('new');
    rig.announce({ kind: 'client-volume', client: old });
    rig.announce({ kind: 'group-mute', group: old.group });
    expect(rig.ann.methods).toEqual(['Client.OnVolumeChanged', 'Group.OnMute']);
  });

  it('is mentioned while the next status waits for its time', async () => {
    const client = rig.joins('c1');
    await told(rig.ann, 1);
    rig.joins('c2');
    rig.announce({ kind: 'client-volume', client });
    expect(rig.ann.methods).toEqual(['Server.OnUpdate', 'Client.OnVolumeChanged']);
  });

  it('is mentioned to the requester, which will get no status of it', async () => {
    const { ann, bob, eve, rig: scene } = rig;
    const [first, second] = [rig.known('c1'), rig.known('c2')];
    scene.groups.setClients(first.group, ['c1', 'c2'], ann);
    rig.pass();
    await told(bob, 1);
    scene.groups.setClients(first.group, ['c1'], ann);
    rig.pass();
    scene.groups.setMute(second.group, true, bob);
    rig.pass();
    expect(ann.heard).toEqual([
      { jsonrpc: '2.0', method: 'Group.OnMute', params: { id: second.group.id, mute: true } },
    ]);
    await told(bob, 2);
    expect(eve.methods).toEqual(['Server.OnUpdate', 'Server.OnUpdate']);
    expect(bob.methods).toEqual(eve.methods);
    expect(eve.lastStatus).toContain(`"id":"${second.group.id}","muted":true`);
    expect(ann.messages).toHaveLength(1);
  });

  it('is not mentioned to its requester by its own requests', async () => {
    const { ann, bob, rig: scene } = rig;
    const client = rig.known('c1');
    scene.groups.setClients(client.group, ['c1'], ann);
    scene.groups.setMute(client.group, true, ann);
    rig.pass();
    await told(bob, 1);
    expect(ann.methods).toEqual([]);
    expect(bob.lastStatus).toContain('"muted":true');
  });

  it('includes streams, and what plays them', async () => {
    const { ann, bob, rig: scene } = rig;
    const { group } = rig.known('c1');
    const channel = await rig.stream('F');
    rig.announce({ kind: 'stream-added', channel }, ann);
    rig.announce({ kind: 'stream-state', channel });
    rig.announce({ kind: 'stream-properties', channel });
    scene.groups.setStream(group, 'F');
    rig.pass();
    expect(ann.methods).toEqual([
      'Stream.OnUpdate',
      'Stream.OnProperties',
      'Group.OnStreamChanged',
    ]);
    await told(bob, 1);
    expect(bob.methods).toEqual(['Server.OnUpdate']);
    expect(bob.lastStatus).toContain('"stream_id":"F"');
  });
});

describe('what is gone', () => {
  it('is not mentioned any more, to nobody', async () => {
    const { ann, bob, rig: scene } = rig;
    const client = rig.known('cA');
    const channel = await rig.stream('F');
    scene.groups.deleteClient(client, ann);
    rig.pass();
    rig.announce({ kind: 'client-disconnected', client });
    rig.announce({ kind: 'stream-removed', channel }, ann);
    rig.announce({ kind: 'stream-state', channel });
    rig.announce({ kind: 'stream-properties', channel });
    await told(bob, 1);
    rig.announce({ kind: 'client-disconnected', client });
    rig.announce({ kind: 'stream-state', channel });
    expect(bob.methods).toEqual(['Server.OnUpdate']);
    expect(ann.methods).toEqual([]);
  });
});
