import { tell } from '../parts/toasts.tsx';
import { texts } from '../text/texts.ts';
import { RefusedError } from './control-link.ts';
import { house, link } from './server.ts';
import type { VolumeObject } from './status-objects.ts';

/** What the server or the connection says is wrong, for people. */
export function faultText(error: unknown): string {
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
  const before = house.clients.get(id)?.peek().config.name ?? '';
  house.setClient(id, { name });
  void attempt('Client.SetName', { id, name }, () => house.setClient(id, { name: before }));
}

export function nameGroup(id: string, name: string): void {
  const before = house.groups.get(id)?.peek().name ?? '';
  house.setGroup(id, { name });
  void attempt('Group.SetName', { id, name }, () => house.setGroup(id, { name: before }));
}

export function muteGroup(id: string, muted: boolean): void {
  house.setGroup(id, { muted });
  void attempt('Group.SetMute', { id, mute: muted }, () => house.setGroup(id, { muted: !muted }));
}

export function setStream(id: string, streamId: string): void {
  const before = house.groups.get(id)?.peek().stream_id ?? '';
  house.setGroup(id, { stream_id: streamId });
  void attempt('Group.SetStream', { id, stream_id: streamId }, () =>
    house.setGroup(id, { stream_id: before }),
  );
}

/** Resolves when the whole status that comes back has been taken. */
export async function setClients(id: string, clients: readonly string[]): Promise<boolean> {
  const result = await attempt('Group.SetClients', { id, clients });
  if (!result) return false;
  house.takeNotification({ method: 'Server.OnUpdate', params: result as Record<string, unknown> });
  return true;
}

export function control(id: string, command: 'play' | 'pause' | 'next' | 'previous'): void {
  void attempt('Stream.Control', { id, command });
}
