import type { StreamState } from '../audio/stream.ts';
import type { StreamTrouble } from '../audio/stream-trouble.ts';
import type { TimeNews } from '../figures/time-watch.ts';
import type { Change } from '../streams/change.ts';
import { discreetFault } from '../streams/sandbox.ts';
import type { NewEvent } from './event-axis.ts';
import type { EventKind } from './sync-message.ts';

const ofState: Readonly<Record<StreamState, EventKind>> = {
  playing: 'streamPlays',
  idle: 'streamIdle',
  disabled: 'streamBroken',
};

const ofTrouble: Readonly<Record<StreamTrouble['kind'], EventKind>> = {
  late: 'sourceLate',
  fast: 'sourceFast',
  silent: 'sourceSilent',
};

const ofTime: Readonly<Record<TimeNews['kind'], EventKind>> = {
  stall: 'serverStalled',
  suspension: 'serverSuspended',
  'clock-step': 'clockSet',
};

/** Nothing for what no player hears. */
export function changeEvent(change: Change): NewEvent | undefined {
  switch (change.kind) {
    case 'client-added':
    case 'client-connected':
      return { side: 'player', what: 'joined', id: change.client.id };
    case 'group-stream': {
      const { name, streamId, clients } = change.group;
      const [client] = clients;
      const who = client && { id: client.id };
      return { side: 'house', what: 'groupStream', ...who, text: `${name} ${streamId}`.trim() };
    }
    case 'stream-added':
      return { side: 'house', what: 'streamAdded', id: change.channel.id };
    case 'stream-removed':
      return { side: 'house', what: 'streamRemoved', id: change.channel.id };
    case 'stream-state': {
      const { id, stream } = change.channel;
      const { fault } = stream;
      const text = fault && { text: discreetFault(fault, stream.options.uri).message };
      return { side: 'source', what: ofState[stream.state], id, ...text };
    }
    default:
      return undefined;
  }
}

export function troubleEvent(id: string, { kind, side, ms }: StreamTrouble): NewEvent {
  const value = Math.round(ms);
  if (side === 'server') return { side: 'server', what: 'serverBroke', id, value };
  return { side: 'source', what: ofTrouble[kind], id, value };
}

export function timeEvent({ kind, ms }: TimeNews): NewEvent {
  return { side: 'server', what: ofTime[kind], value: Math.round(ms) };
}
