import { tell } from '../parts/toasts.tsx';
import { texts } from '../text/texts.ts';
import { AwayError, RefusedError } from './control-link.ts';
import type { Group } from './house.ts';
import { loginFault } from './login.ts';
import { groupName, streamName } from './names.ts';
import { house, link } from './server.ts';
import type { VolumeObject } from './status-objects.ts';

/** What the server or the connection says is wrong, for people. */
export function faultText(error: unknown): string {
  if (loginFault(error) === 'forbidden') return texts.value.login.forbidden;
  if (error instanceof AwayError) return texts.value.away;
  if (error instanceof RefusedError && typeof error.data === 'string') return error.data;
  return error instanceof Error ? error.message : String(error);
}

/** Asks for a change, says why when it fails, and takes back what was shown before the answer. */
export async function attempt(
  method: string,
  params: object,
  takeBack: () => void = () => {},
): Promise<unknown> {
  try {
    return await link.request(method, params);
  } catch (error) {
    takeBack();
    tell(texts.value.failed(faultText(error)), { isFault: true });
    return undefined;
  }
}

/** The last of many values that follow each other: one request at a time for each thing. */
class LatestOnly {
  readonly #busy = new Map<string, (() => Promise<unknown>) | undefined>();

  async send(key: string, request: () => Promise<unknown>): Promise<void> {
    if (this.#busy.has(key)) {
      this.#busy.set(key, request);
      return;
    }
    this.#busy.set(key, undefined);
    for (let next: typeof request | undefined = request; next; next = this.#busy.get(key)) {
      this.#busy.set(key, undefined);
      await next();
    }
    this.#busy.delete(key);
  }
}

const volumes = new LatestOnly();

export function setVolume(id: string, change: Partial<VolumeObject>): void {
  const known = house.volumes.get(id)?.peek();
  if (!known) return;
  const { id: _, ...before } = known;
  const volume = { ...before, ...change };
  house.setVolume(id, volume);
  void volumes.send(id, () =>
    attempt('Client.SetVolume', { id, volume }, () => house.setVolume(id, before)),
  );
}

export function setLatency(id: string, latency: number): void {
  const before = house.clients.get(id)?.peek().config.latency ?? 0;
  house.setClient(id, { latency });
  void volumes.send(`latency ${id}`, () =>
    attempt('Client.SetLatency', { id, latency }, () => house.setClient(id, { latency: before })),
  );
}

export function nameClient(id: string, name: string): void {
  const client = house.clients.get(id)?.peek();
  if (!client) return;
  const show = (name: string) => house.setClient(id, { name });
  rename('Client.SetName', { id, name, before: client.config.name }, show);
}

export function nameGroup(id: string, name: string): void {
  const group = house.groups.get(id)?.peek();
  if (!group) return;
  const show = (name: string) => house.setGroup(id, { name });
  rename('Group.SetName', { id, name, before: group.name }, show);
}

function rename(
  method: string,
  { id, name, before }: { readonly id: string; readonly name: string; readonly before: string },
  show: (name: string) => void,
): void {
  const request = (to: string, from: string) => {
    show(to);
    void attempt(method, { id, name: to }, () => show(from));
  };
  request(name, before);
  const text = name === '' ? texts.value.unnamed(before) : texts.value.named(name);
  tell(text, { onUndo: () => request(before, name) });
}

export function muteGroup(id: string, muted: boolean): void {
  house.setGroup(id, { muted });
  void attempt('Group.SetMute', { id, mute: muted }, () => house.setGroup(id, { muted: !muted }));
}

/** Has rooms play a stream. */
export function setStream(ids: readonly string[], streamId: string): void {
  const before = ids
    .flatMap((id) => house.groups.get(id)?.peek() ?? [])
    .filter((group) => group.stream_id !== streamId);
  const stream = house.streams.get(streamId)?.peek();
  const [first, ...others] = before;
  if (!first || !stream) return;
  for (const { id } of before) requestStream(id, streamId);
  const { plays, playIt } = texts.value.rooms;
  const name = streamName(stream);
  tell(others.length === 0 ? plays(groupName(first), name) : playIt(before.length, name), {
    onUndo: () => {
      for (const { id, stream_id } of before) requestStream(id, stream_id);
    },
  });
}

export function requestStream(id: string, streamId: string): void {
  const before = house.groups.get(id)?.peek().stream_id ?? '';
  house.setGroup(id, { stream_id: streamId });
  void attempt('Group.SetStream', { id, stream_id: streamId }, () =>
    house.setGroup(id, { stream_id: before }),
  );
}

/** Has these players and no others make up a room. */
export async function setClients(id: string, clientIds: readonly string[]): Promise<void> {
  const before = house.groups.ids.peek().flatMap((one) => house.groups.get(one)?.peek() ?? []);
  if (!(await requestClients(id, clientIds))) return;
  const group = house.groups.get(id)?.peek();
  const name = group ? groupName(group) : texts.value.rooms.unnamed;
  tell(texts.value.rooms.moved(name), { onUndo: () => void restoreGroups(before) });
}

/** Resolves when the whole status that comes back has been taken. */
async function requestClients(id: string, clients: readonly string[]): Promise<boolean> {
  const result = await attempt('Group.SetClients', { id, clients });
  if (!result) return false;
  house.takeNotification({ method: 'Server.OnUpdate', params: result as Record<string, unknown> });
  return true;
}

/** Brings players back to where they were: a room that they have left is gone, another one becomes it. */
async function restoreGroups(groups: readonly Group[]): Promise<void> {
  const isThere = ({ id }: Group) => house.groups.get(id) !== undefined;
  for (const { id, clientIds } of groups.filter(isThere)) {
    if (house.groups.get(id)?.peek().clientIds.join() === clientIds.join()) continue;
    if (!(await requestClients(id, clientIds))) return;
  }
  for (const group of groups.filter((group) => !isThere(group))) {
    const id = groupIdOf(group.clientIds[0]);
    if (id === undefined || !(await requestClients(id, group.clientIds))) continue;
    const { name, muted } = group;
    house.setGroup(id, { name });
    void attempt('Group.SetName', { id, name });
    if (muted) muteGroup(id, true);
    requestStream(id, group.stream_id);
  }
}

function groupIdOf(clientId = ''): string | undefined {
  return house.groups.ids
    .peek()
    .find((id) => house.groups.get(id)?.peek().clientIds.includes(clientId));
}

export function control(id: string, command: 'play' | 'pause' | 'next' | 'previous'): void {
  void attempt('Stream.Control', { id, command });
}
