import { once } from 'node:events';
import { createServer, type IncomingMessage, request as requestHttp, type Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RequestBudget } from '../../../src/control/request-budget.ts';
import { BodyReader } from '../../../src/http/body-reader.ts';
import { controlPeerContext } from '../../support/control-limits.ts';
import { until } from '../../support/waiting.ts';

const maxRequestBytes = 100_000;

let budget: RequestBudget;
let server: Server;
let reads: Promise<string | Error>[];

beforeEach(async () => {
  reads = [];
  const context = controlPeerContext({ maxRequestBytes }, 150_000);
  budget = context.budget;
  const reader = new BodyReader(context);
  server = createServer((request: IncomingMessage, response) => {
    const read = reader.read(request).catch((error: Error) => error);
    reads.push(read);
    void read.then((text) => response.end(String(text instanceof Error ? text.message : text)));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** What became of the request that came as number `index`. */
async function readOf(index: number): Promise<string | Error | undefined> {
  await until(() => reads.length > index);
  return reads[index];
}

function post() {
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const request = requestHttp({ host: '127.0.0.1', port, method: 'POST', agent: false });
  request.on('error', () => {});
  return request;
}

describe('the body of a request', () => {
  it('takes memory from what all incomplete requests share, until it is read', async () => {
    const request = post();
    request.write('x'.repeat(10_000));
    await until(() => budget.takenBytes >= 10_000);
    expect(budget.takenBytes).toBeLessThanOrEqual(20_000);
    request.write('x'.repeat(60_000));
    await until(() => budget.takenBytes >= 70_000);
    request.end('end');
    expect(await readOf(0)).toBe(`${'x'.repeat(70_000)}end`);
    expect(budget.takenBytes).toBe(0);
  });

  it('takes no more than one request may have', async () => {
    const request = post();
    request.write('x'.repeat(maxRequestBytes));
    await until(() => budget.takenBytes >= maxRequestBytes);
    expect(budget.takenBytes).toBe(maxRequestBytes);
    request.end();
    expect(await readOf(0)).toHaveLength(maxRequestBytes);
    expect(budget.takenBytes).toBe(0);
  });

  it('gives its memory back when its sender breaks off', async () => {
    const request = post();
    request.write('x'.repeat(50_000));
    await until(() => budget.takenBytes >= 50_000);
    request.destroy();
    expect(await readOf(0)).toBeInstanceOf(Error);
    expect(budget.takenBytes).toBe(0);
  });

  it('is refused when there is no memory for it, and read to its end', async () => {
    const first = post();
    first.write('x'.repeat(90_000));
    await until(() => budget.takenBytes >= 90_000);
    const second = post();
    second.write('x'.repeat(40_000));
    await until(() => budget.takenBytes >= 130_000);
    second.end('x'.repeat(50_000));
    expect(await readOf(1)).toMatchObject({ status: 503 });
    first.end();
    expect(await readOf(0)).toHaveLength(90_000);
    expect(budget.takenBytes).toBe(0);
  });

  it.each([
    ['there is memory for it later', 20_000],
    ['it turns out to be too long as well', 50_000],
  ])('stays refused for the first reason although %s', async (_, moreBytes) => {
    const take = vi.spyOn(budget, 'take');
    const first = post();
    first.write('x'.repeat(90_000));
    await until(() => budget.takenBytes >= 90_000);
    const second = post();
    second.write('x'.repeat(40_000));
    await until(() => budget.takenBytes >= 130_000);
    second.write('x'.repeat(30_000));
    await until(() => take.mock.results.some(({ value }) => value === false));
    first.end();
    expect(await readOf(0)).toHaveLength(90_000);
    expect(budget.takenBytes).toBeLessThan(100_000);
    second.end('x'.repeat(moreBytes));
    expect(await readOf(1)).toMatchObject({ status: 503 });
    expect(budget.takenBytes).toBe(0);
  });

  it('is read as text of UTF-8, however it is cut', async () => {
    const request = post();
    for (const byte of Buffer.from('{"a":"ä€𝄞"}')) {
      await new Promise<void>((resolve) => request.write(Buffer.from([byte]), () => resolve()));
    }
    request.end();
    expect(await readOf(0)).toBe('{"a":"ä€𝄞"}');
  });

  it('is refused when it is too long, but read so far that its sender hears why', async () => {
    const request = post();
    request.end('x'.repeat(16 * maxRequestBytes));
    const [response] = await once(request, 'response');
    expect(response.statusCode).toBe(200);
    expect(await readOf(0)).toMatchObject({ status: 413 });
    const flood = post();
    flood.write('x'.repeat(16 * maxRequestBytes + 1));
    expect(await readOf(1)).toMatchObject({ status: 413 });
    expect(budget.takenBytes).toBe(0);
  });
});
