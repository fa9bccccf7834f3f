import { describe, expect, it } from 'vitest';
import { connectAsker } from '../support/askers.ts';
import { TestServer } from '../support/test-server.ts';
import { quiet, TranscriptRun, type Way } from '../support/transcript-run.ts';
import { readTranscripts } from '../support/transcript-text.ts';

// Source: protocol reference, 9.5 and 9.6.
const methods = [
  'Client.GetStatus',
  'Client.SetLatency',
  'Client.SetName',
  'Client.SetVolume',
  'General.GetRPCCommands',
  'Group.GetStatus',
  'Group.SetClients',
  'Group.SetMute',
  'Group.SetName',
  'Group.SetStream',
  'Server.Authenticate',
  'Server.DeleteClient',
  'Server.GetRPCVersion',
  'Server.GetStatus',
  'Stream.AddStream',
  'Stream.Control',
  'Stream.RemoveStream',
  'Stream.SetProperty',
];
const notifications = [
  'Client.OnConnect',
  'Client.OnDisconnect',
  'Client.OnLatencyChanged',
  'Client.OnNameChanged',
  'Client.OnVolumeChanged',
  'Group.OnMute',
  'Group.OnNameChanged',
  'Group.OnStreamChanged',
  'Server.OnUpdate',
  'Stream.OnProperties',
  'Stream.OnUpdate',
];

const ways: readonly Way[] = [
  { name: 'TCP', asker: 'TCP', other: 'TCP' },
  { name: 'WebSocket', asker: 'WebSocket', other: 'WebSocket' },
  { name: 'POST', asker: 'POST', other: 'TCP' },
  { name: 'TCP beside a stranger', asker: 'TCP', other: 'TCP', isGuarded: true },
];
const transcripts = readTranscripts();

/** The methods that lines with one of these marks begin with. */
function named(...marks: readonly string[]): Set<string> {
  const lines = transcripts
    .flatMap(({ steps }) => steps)
    .flatMap(({ acts, outcome }) => [...acts, ...outcome])
    .filter(({ mark }) => marks.includes(mark));
  return new Set(
    lines.flatMap(({ text }) =>
      [...text.matchAll(/"method":"(.+?)"/g)].map(([, name]) => `${name}`),
    ),
  );
}

describe('the transcripts', () => {
  it('ask for every method', () => {
    const asked = named('>');
    expect(methods.filter((method) => !asked.has(method))).toEqual([]);
  });

  it('tell every notification and no other one', () => {
    expect([...named('*', '**')].sort()).toEqual(notifications);
  });
});

describe.concurrent('over TCP, WebSocket and POST, and with a stranger there', () => {
  it.each(transcripts.map((transcript) => [transcript.name, transcript] as const))(
    'everybody is told what the transcript says: %s',
    async (_, transcript) => {
      const open = ways.filter(({ name }) => transcript.over?.includes(name) ?? true);
      await Promise.all(open.map((way) => TranscriptRun.hold(transcript, way)));
    },
  );
});

it('whoever comes when the server has just started is told nothing of what was before', async () => {
  const sources = ['F', 'G', 'H'].map((name) => `stream.source=tone:///?name=${name}&codec=null`);
  const server = await TestServer.start(...sources);
  const asker = await connectAsker('TCP', server);
  await quiet();
  asker.close();
  await server.stop();
  expect(asker.texts).toEqual([]);
});
