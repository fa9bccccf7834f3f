import { cpus, loadavg, release, totalmem, type } from 'node:os';

export type Environment = ReturnType<typeof readEnvironment>;

/** What a figure is worth only together with. */
export function readEnvironment() {
  const processors = cpus();
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    node: process.version,
    kernel: `${type()} ${release()}`,
    cpu: `${processors.length} x ${processors[0]?.model.trim() ?? 'unknown'}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    loadBefore: Number(loadavg()[0]?.toFixed(2)),
  };
}

/** Shape: `path` says which network, if any, the figures went through. */
export function describeEnvironment(environment: Environment, path: string): string {
  const { date, node, kernel, cpu, memoryGiB, loadBefore } = environment;
  return (
    `${date} UTC, Node ${node}, ${kernel}, ${cpu}, ${memoryGiB} GiB, ${path}; ` +
    `load average before: ${loadBefore}`
  );
}
