/**
 * The figures of the server by name and labels: `zerocast_pool_slots{state="used"}`.
 *
 * Failure: rejects when the server does not answer.
 */
export async function readMetrics(port: number): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, {
    headers: { connection: 'close' },
    signal: AbortSignal.timeout(10_000),
  });
  const figures = new Map<string, number>();
  for (const line of (await response.text()).split('\n')) {
    const [, name, value] = /^(\w+(?:\{[^}]*\})?) (\S+)$/.exec(line) ?? [];
    if (name) figures.set(name, Number(value));
  }
  return figures;
}
