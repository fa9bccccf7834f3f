import type { Config } from '../config/config.ts';
import type { Announcer, AnnouncerOptions } from '../discovery/announcer.ts';
import type { Listeners } from './listeners.ts';

/** What existing players and controllers look for begins with this word. */
export const instanceName = 'Snapcast';

/** Loads what `announce` needs: only where it is used, and before a peer is served. */
export async function loadAnnouncer({ server }: Config): Promise<void> {
  if (server.mdnsEnabled) await loadModules();
}

/** Tells the network where the ports are; `undefined` when nothing is to be told. */
export async function announce(
  { server, tcpStreaming, tcpControl, http }: Config,
  ports: Listeners['ports'],
  options: Omit<AnnouncerOptions, 'services' | 'name'>,
): Promise<Announcer | undefined> {
  if (!server.mdnsEnabled) return undefined;
  const { Announcer, servicesOf } = await loadModules();
  const services = servicesOf({
    ...(ports.streaming && tcpStreaming.publish && { streaming: ports.streaming }),
    ...(ports.control && tcpControl.publish && { control: ports.control }),
    ...(ports.http && http.publishHttp && { http: ports.http }),
    ...(ports.https && http.publishHttps && { https: ports.https }),
  });
  return services.length > 0
    ? Announcer.start({ ...options, services, name: instanceName })
    : undefined;
}

async function loadModules() {
  const { Announcer } = await import('../discovery/announcer.ts');
  const { servicesOf } = await import('../discovery/services.ts');
  return { Announcer, servicesOf };
}
