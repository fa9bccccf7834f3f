import type { DoctorContext } from './context.ts';
import { type Check, type Finding, fault, note, ok, warning } from './finding.ts';
import { describeProcess } from './process-table.ts';
import { runningServer } from './running-server.ts';

/** Files, sources, children and Node.js itself. */
const reservedDescriptors = 128;
/** A user with fewer places than that will soon be surprised. */
const minPlayers = 8;
/** As the server asks for; the kernel cuts it silently. */
const backlog = 1024;
const minBacklog = 128;
/** A send in flight takes some hundred bytes of it. Source: Linux, sock_omalloc. */
const minOptionMemoryBytes = 20_480;
/** Two batches of uncompressed stereo. */
const pinnedBytesPerPlayer = 128 * 1024;
const minSendBufferBytes = 65_536;

interface ProcessLimits {
  /** Whose they are, for sentences. */
  readonly whose: string;
  readonly text: string;
}

/** What the kernel allows the server. */
export function limitsCheck(context: DoctorContext): Check {
  return {
    name: 'limits',
    run: () => {
      const limits = limitsOf(context);
      if (!limits) return [note('this system does not tell its limits (/proc/self/limits)')];
      return [
        ...openFiles(limits, context),
        ...zeroCopyMemory(limits, context),
        ...network(context),
      ];
    },
  };
}

/** Those of the server that runs, as a service may have others than this shell. */
function limitsOf(context: DoctorContext): ProcessLimits | undefined {
  const { files, isServer } = context;
  const own = files.text('/proc/self/limits');
  if (isServer) return own ? { whose: 'of the server', text: own } : undefined;
  const running = runningServer(context);
  const text = running && files.text(`/proc/${running.pid}/limits`);
  if (running && text) return { whose: `of the running ${describeProcess(running)}`, text };
  return own ? { whose: 'of this shell; a service may have others', text: own } : undefined;
}

function limitNamed(name: string, { text }: ProcessLimits): number {
  const [, soft = 'unlimited'] = new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(text) ?? [];
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

function openFiles(limits: ProcessLimits, { config, native }: DoctorContext): readonly Finding[] {
  const { maxPlayers, maxControllers, maxHttpConnections } = config.limits;
  const limit = limitNamed('Max open files', limits);
  // The addon has a duplicate of each socket.
  const perPlayer = 'addon' in native ? 2 : 1;
  const room = Math.max(0, Math.floor((limit - reservedDescriptors) / perPlayer));
  const wanted = reservedDescriptors + perPlayer * maxPlayers + maxControllers + maxHttpConnections;
  const text = `${limit} open files (${limits.whose})`;
  const advice = `raise it to ${wanted}: ulimit -n ${wanted}, or LimitNOFILE=${wanted} of the unit`;
  if (room < Math.min(minPlayers, maxPlayers)) {
    return [fault(`${text}: there is room for ${room} players only`, advice)];
  }
  if (room < maxPlayers) {
    return [
      warning(
        `${text}: there is room for ${room} players, fewer than max_players, ${maxPlayers}`,
        `${advice}; or lower max_players in [limits]`,
      ),
    ];
  }
  if (limit < wanted) {
    return [note(`${text}: all players fit, but not with all controllers and browsers`, advice)];
  }
  return [ok(`${text}: enough for ${maxPlayers} players`)];
}

function zeroCopyMemory(
  limits: ProcessLimits,
  { config, files, serverUser }: DoctorContext,
): readonly Finding[] {
  if (!config.stream.zerocopy) return [];
  const findings: Finding[] = [];
  const optionMemory = files.number('/proc/sys/net/core/optmem_max');
  if (optionMemory !== undefined && optionMemory < minOptionMemoryBytes) {
    const text = `net.core.optmem_max is ${optionMemory}: few zero-copy sends fit at a time`;
    findings.push(warning(text, 'sysctl net.core.optmem_max=131072'));
  }
  const locked = limitNamed('Max locked memory', limits);
  const players = Math.floor(locked / pinnedBytesPerPlayer);
  // Root may lock what it likes.
  if (serverUser.uid === 0 || players >= config.limits.maxPlayers) return findings;
  const text = `${locked} bytes of locked memory pin the audio of about ${players} players`;
  const advice = 'ulimit -l unlimited, or LimitMEMLOCK=infinity of the unit';
  findings.push(players < minPlayers ? warning(text, advice) : note(text, advice));
  return findings;
}

function network({ files }: DoctorContext): readonly Finding[] {
  const findings: Finding[] = [];
  const queue = files.number('/proc/sys/net/core/somaxconn');
  if (queue !== undefined && queue < minBacklog) {
    const text = `net.core.somaxconn is ${queue}: clients that connect together may be refused`;
    findings.push(warning(text, `sysctl net.core.somaxconn=${backlog}`));
  }
  const [, , sendBuffer] = (files.text('/proc/sys/net/ipv4/tcp_wmem') ?? '').split(/\s+/);
  if (sendBuffer !== undefined && Number(sendBuffer) < minSendBufferBytes) {
    const text = `net.ipv4.tcp_wmem allows only ${sendBuffer} bytes: audio will stall`;
    findings.push(warning(text, 'sysctl net.ipv4.tcp_wmem="4096 16384 4194304"'));
  }
  return findings;
}
