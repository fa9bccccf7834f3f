import { it } from 'vitest';
import { ScriptedClient } from '../../support/scripted-client.ts';
import { TestServer } from '../../support/test-server.ts';
import { until } from '../../support/waiting.ts';
it('rtt', async () => {
  const server = await TestServer.start('stream.source=tone:///?name=default');
  const c = await ScriptedClient.greet(server.port, 'x');
  await c.untilCount(2, 10);
  const times: number[] = [];
  for (let i = 3; i < 40; i += 1) {
    const t = performance.now();
    c.requestTime(i);
    await until(() => c.of(4).some((m) => m.refersTo === i));
    times.push(Math.round((performance.now() - t) * 10) / 10);
  }
  console.log(times.join(' '));
  c.close();
  await server.stop();
});
