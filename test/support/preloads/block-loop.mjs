// Keeps the event loop of a process busy for as long as BLOCK_MS says, at each SIGUSR2.
process.on('SIGUSR2', () => {
  const endMs = performance.now() + Number(process.env.BLOCK_MS);
  while (performance.now() < endMs);
});
