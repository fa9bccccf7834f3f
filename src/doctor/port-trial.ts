import { createServer } from 'node:net';
import { codeOf, messageOf } from '../base/errors.ts';
import { Listener } from '../transport/listener.ts';
import type { SystemContext } from './context.ts';
import { type Finding, fault, faultOf, note, ok } from './finding.ts';
import { NoteTaker } from './note-taker.ts';
import { describeProcess } from './process-table.ts';

export interface PortWish {
  /** The section of the configuration, or what else names the port. */
  readonly setting: string;
  readonly addresses: readonly string[];
  readonly port: number;
}

/** Binds a port for a moment; a peer that connects meanwhile is refused. */
export async function tryPort(wish: PortWish, context: SystemContext): Promise<readonly Finding[]> {
  const logger = new NoteTaker();
  try {
    const listener = await Listener.open({
      ...wish,
      logger,
      createServer: (options) => createServer(options, (socket) => socket.destroy()),
    });
    await listener.close();
  } catch (error) {
    return [refusal(error, wish, context)];
  }
  const hasIpv6 = logger.take().length === 0;
  const where = wish.addresses.join(', ');
  if (hasIpv6) return [ok(`port ${wish.port} is free (${wish.setting} on ${where})`)];
  return [note(`port ${wish.port} is free; the machine has no IPv6 (${wish.setting})`)];
}

function refusal(error: unknown, wish: PortWish, context: SystemContext): Finding {
  const { setting, port } = wish;
  const code = error instanceof Error ? codeOf(error.cause) : '';
  if (code !== 'EADDRINUSE') return bindFault(error, code, wish);
  const owner = context.processes.listenerOn(port);
  if (owner?.server === 'zerocast') {
    return note(`port ${port} is in use by the running server, ${describeProcess(owner)}`);
  }
  const who = owner ? describeProcess(owner) : 'a program of another user';
  const advice = owner ? `stop ${owner.name}` : `see who with "sudo ss -ltnp sport = :${port}"`;
  return fault(
    `port ${port} of ${setting} is in use by ${who}`,
    `${advice}, or choose another port for ${setting}`,
  );
}

function bindFault(error: unknown, code: string, { setting, port }: PortWish): Finding {
  if (code !== 'EACCES') return faultOf(error, 'correct bind_to_address or port');
  return fault(
    `port ${port} of ${setting} may not be bound (${messageOf(error).split(':')[0]})`,
    'choose a port from 1024 on, or start the server as root with -d, which then changes the user',
  );
}
