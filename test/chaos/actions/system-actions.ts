import { Random } from '../../support/random.ts';
import { action } from '../action.ts';
import { variants } from '../config-text.ts';
import { stationFailures } from '../failing-station.ts';
import { oddBytes, producerNames } from '../producers.ts';

/** What befalls the machine: processes, disk, network, configuration, signals. */
export const systemActions = {
  killChild: action({
    weight: 4,
    draw: (random) => ({ index: random.between(0, 1000) }),
    run({ server }, { index }) {
      const pids = server.descendants();
      if (pids.length > 0) sendSignal(pids[index % pids.length], 'SIGKILL');
    },
  }),
  stopChild: action({
    weight: 3,
    draw: (random) => ({ index: random.between(0, 1000), ms: random.between(100, 7000) }),
    run({ server, later }, { index, ms }) {
      const pids = server.descendants();
      if (pids.length === 0) return;
      const pid = pids[index % pids.length];
      sendSignal(pid, 'SIGSTOP');
      later(ms, () => sendSignal(pid, 'SIGCONT'));
    },
  }),
  suspendServer: action({
    weight: 1,
    draw: (random) => ({ ms: random.between(20, 700) }),
    async run({ server, sleep }, { ms }) {
      server.signal('SIGSTOP');
      await sleep(ms);
      server.signal('SIGCONT');
    },
  }),
  fillDisk: action({
    weight: 3,
    draw: (random) => ({ freeBytes: random.pick([0, 0, 4096, 20_000]), ms: 4000 }),
    run({ disk, later }, { freeBytes, ms }) {
      disk.fill(freeBytes);
      later(ms, () => disk.free());
    },
  }),
  producerLeaves: action({
    weight: 3,
    draw: (random) => ({ producer: random.pick(producerNames), ms: random.between(50, 6000) }),
    run({ producers, later }, { producer, ms }) {
      producers.named(producer).vanish();
      later(ms, () => producers.named(producer).appear());
    },
  }),
  producerIsReplaced: action({
    weight: 2,
    draw: (random) => ({ producer: random.pick(producerNames) }),
    run: ({ producers }, { producer }) => producers.named(producer).appear(),
  }),
  oddBytes: action({
    weight: 3,
    draw: (random) => ({
      producer: random.pick(producerNames),
      count: random.between(1, 3000),
    }),
    run: ({ producers }, { producer, count }) =>
      producers.named(producer).writeOdd(oddBytes(count)),
  }),
  producerFloods: action({
    weight: 2,
    draw: (random) => ({
      producer: random.pick(producerNames),
      frames: random.between(1000, 80_000),
    }),
    run: ({ producers }, { producer, frames }) => producers.named(producer).burst(frames),
  }),
  packetsAreLost: action({
    weight: 3,
    draw: (random) => ({
      share: random.pick([0.01, 0.1, 0.5]),
      seed: random.between(0, 1e6),
      ms: random.between(500, 8000),
    }),
    run({ producers, later }, { share, seed, ms }) {
      producers.losePackets(new Random(seed), share);
      later(ms, () => producers.losePackets(new Random(seed), 0));
    },
  }),
  stationFails: action({
    weight: 2,
    draw: (random) => ({ failure: random.pick(stationFailures), ms: random.between(500, 12_000) }),
    run({ station, later }, { failure, ms }) {
      station.fail(failure);
      later(ms, () => station.mend());
    },
  }),
  badNetwork: action({
    weight: 4,
    draw: (random) => ({
      lossPercent: random.pick([0, 0.5, 3, 10, 30]),
      delayMs: random.pick([1, 20, 80, 250]),
      kilobytesPerSecond: random.pick([0, 0, 2000, 400, 60]),
      isUp: true,
    }),
    run: ({ network }, quality) => network?.set(quality),
  }),
  outage: action({
    weight: 2,
    draw: (random) => ({ ms: random.pick([200, 1000, 4000, 12_000]) }),
    run({ network, later }, { ms }) {
      network?.set({ lossPercent: 0, delayMs: 1, kilobytesPerSecond: 0, isUp: false });
      later(ms, () => network?.heal());
    },
  }),
  farStall: action({
    weight: 2,
    draw: (random) => ({ index: random.between(0, 1000), ms: random.between(500, 10_000) }),
    run: ({ far }, { index, ms }) => far?.stall(index, ms),
  }),
  reload: action({
    weight: 4,
    draw: (random) => ({ variant: random.pick(variants), byRpc: random.chance(0.3) }),
    async run({ server, writeConfig, reloads, ask }, { variant, byRpc }) {
      if (!reloads) return;
      writeConfig(variant);
      if (byRpc) await ask('Server.ReloadConfig');
      else server.signal('SIGHUP');
    },
  }),
  reopenLog: action({
    weight: 1,
    draw: () => ({}),
    run({ server, reloads }) {
      if (reloads) server.signal('SIGUSR1');
    },
  }),
};

function sendSignal(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(pid, signal);
  } catch {
    // It has ended since it was found.
  }
}
