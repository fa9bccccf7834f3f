/**
 * The figures of the server by name and labels: `zerocast_pool_slots{state="used"}`.
 *
 * Failure: rejects when the server does not answer.
 */
export async function readMetrics(port) {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, {
    headers: { connection: 'close' },
    signal: AbortSignal.timeout(10_000),
  });
  const figures = new Map();
  for (const line of (await response.text()).split('\n')) {
    const match = /^(\w+(?:\{[^}]*\})?) (\S+)$/.exec(line);
    if (match) figures.set(match[1], Number(match[2]));
  }
  return figures;
}
