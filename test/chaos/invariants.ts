import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { World } from './world.ts';

const stateFiles = ['server.json', 'streams.json'];
/** A driver that slept this long cannot say that others were silent. */
const lagLimitMs = 1500;
/** A player in order hears something in every second. */
const silenceLimitMs = 3000;

/** What must hold after every step; cheap. Shape: texts that say what does not hold. */
export function brokenNow({ server, problems, controller, browser, mischief }: World): string[] {
  const broken = [...problems.splice(0), ...server.log.problems.splice(0)];
  if (server.ending) broken.push(`the server has ended: ${JSON.stringify(server.ending)}`);
  for (const one of [controller, browser, mischief]) {
    if (one.hasEnded || one.isClosed) broken.push('a controller that did no harm was closed');
  }
  return broken;
}

/** What must hold every few seconds. */
export class CostlyInvariants {
  #lastLookMs = performance.now();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  async broken(): Promise<string[]> {
    const world = this.#world;
    const lagMs = world.starvation.takeLagMs();
    const broken: string[] = [];
    const silent = this.#silentPlayers();
    if (lagMs < lagLimitMs) broken.push(...silent);
    broken.push(...stateFaults(world), ...jumpFaults(world), ...realFaults(world));
    broken.push(...(await controlFaults(world)));
    return broken;
  }

  #silentPlayers(): string[] {
    const nowMs = performance.now();
    if (nowMs - this.#lastLookMs < silenceLimitMs) return [];
    this.#lastLookMs = nowMs;
    const silent = this.#world.steady.takeSilent();
    return silent.length === 0 ? [] : [`no audio or no answers for ${silent.join(', ')}`];
  }
}

function stateFaults({ places }: World): string[] {
  const faults: string[] = [];
  if (existsSync(places.astray)) faults.push('state was written through a planted link');
  for (const name of stateFiles) {
    const file = join(places.data, name);
    if (!existsSync(file)) continue;
    const text = readFileSync(file, 'utf8');
    try {
      JSON.parse(text);
    } catch (error) {
      faults.push(`${name} is damaged: ${error}: ${text.slice(0, 200)}`);
    }
  }
  return faults;
}

/** The time of a stream may jump only as often as the log says that the machine was too slow. */
function jumpFaults({ truths, server }: World): string[] {
  const faults: string[] = [];
  for (const { name, stream, jumps } of truths.steady()) {
    const said = server.log.resyncs.get(stream) ?? 0;
    if (jumps.size <= said) continue;
    faults.push(`${name}: its time jumped at ${[...jumps].join(', ')}, the log knows of ${said}`);
    jumps.clear();
  }
  return faults;
}

function realFaults({ realClients, starvation }: World): string[] {
  for (const client of realClients) client.endWindow(starvation.isStarved);
  return realClients.flatMap((client) => client.problems.splice(0));
}

async function controlFaults({ controller, browser, steady }: World): Promise<string[]> {
  try {
    await browser.ask('Server.GetRPCVersion');
    const clients = (await controller.status()).groups.flatMap((group) => group.clients);
    const connected = new Set(clients.filter((one) => one.connected).map(({ id }) => id));
    const missing = steady.ids.filter((id) => !connected.has(id));
    return missing.length > 0 ? [`controllers see as absent: ${missing.join(', ')}`] : [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}
