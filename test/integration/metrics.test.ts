import { connect } from 'node:net';
import performanceHooks from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { metricsAgeMs } from '../../src/http/metrics-route.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { stall } from '../support/fake-time.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { freePort } from '../support/server-process.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const tone = 'stream.source=tone:///?name=Tone&codec=pcm';

interface Figures {
  readonly text: string;
  /** The value of a series, named as it stands in the text: `zerocast_clients{state="away"}`. */
  of(series: string): number;
}

async function figuresOf(server: TestServer): Promise<Figures> {
  const response = await fetch(`http://127.0.0.1:${server.httpPort}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const text = await response.text();
  const values = new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );
  return { text, of: (series) => values.get(series) ?? Number.NaN };
}

describe('the figures for Prometheus', () => {
  let server: TestServer;

  beforeEach(async () => {
    server = await TestServer.start(tone);
  });

  afterEach(() => server.stop());

  it('have no value before there is one, and none that cannot be', async () => {
    const { text, of } = await figuresOf(server);
    const lags = text.split('\n').filter((line) => /^[a-z_]*eventloop_lag/.test(line));
    expect(lags.length).toBeGreaterThan(0);
    for (const line of lags) expect(Number(line.split(' ').at(-1))).toBeLessThan(60);
    expect(text).not.toMatch(/nan/i);
    const { user, system } = process.cpuUsage();
    expect(of('process_cpu_seconds_total')).toBeGreaterThan((user + system) / 2e6);
    expect(of('process_cpu_user_seconds_total')).toBeGreaterThan(user / 2e6);
    expect(of('process_cpu_system_seconds_total')).toBeGreaterThan(system / 2e6);
  });

  it('tell everybody who asks of the same standstill of the event loop', async () => {
    await figuresOf(server);
    await new Promise((resolve) => setTimeout(resolve, 50));
    stall(300);
    const lags: number[] = [];
    for (let scraper = 0; scraper < 2; scraper += 1) {
      // Figures are measured a few times per second at most.
      await new Promise((resolve) => setTimeout(resolve, metricsAgeMs + 50));
      lags.push((await figuresOf(server)).of('nodejs_eventloop_lag_max_seconds'));
    }
    expect(Math.min(...lags)).toBeGreaterThan(0.25);
  });

  it('tell every scraper of the oldest chunk of the last minute, whoever has asked before', async () => {
    const client = await ScriptedClient.greet(server.port, 'a');
    await client.untilCount(messageType.wireChunk, 5);
    // Less than what makes the stream begin anew.
    stall(150);
    await client.untilCount(messageType.wireChunk, 30);
    const agesSeconds: number[] = [];
    for (let scraper = 0; scraper < 2; scraper += 1) {
      await new Promise((resolve) => setTimeout(resolve, metricsAgeMs + 50));
      const { of } = await figuresOf(server);
      agesSeconds.push(of('zerocast_stream_max_chunk_age_seconds{stream="Tone"}'));
    }
    expect(Math.min(...agesSeconds)).toBeGreaterThan(0.1);
    client.close();
  });

  it('count clients, sessions, groups and controllers as they are', async () => {
    const client = await ScriptedClient.greet(server.port, 'a');
    const other = await ScriptedClient.greet(server.port, 'b');
    await client.untilCount(messageType.wireChunk, 1);
    other.close();
    await until(() => server.application.server.sessionCount === 1);
    const figures = await figuresOf(server);
    expect(figures.of('zerocast_clients{state="connected"}')).toBe(1);
    expect(figures.of('zerocast_clients{state="away"}')).toBe(1);
    expect(figures.of('zerocast_groups')).toBe(2);
    expect(figures.of('zerocast_sessions')).toBe(1);
    expect(figures.of('zerocast_control_sessions')).toBe(0);
    client.close();
  });

  it('tell of each stream whether it plays, who listens, and what encoding took', async () => {
    const client = await ScriptedClient.greet(server.port, 'a');
    await client.untilCount(messageType.wireChunk, 5);
    const figures = await figuresOf(server);
    expect(figures.of('zerocast_stream_playing{stream="Tone"}')).toBe(1);
    expect(figures.of('zerocast_stream_listeners{stream="Tone"}')).toBe(1);
    expect(figures.of('zerocast_stream_encoded_chunks_total{stream="Tone"}')).toBeGreaterThan(4);
    expect(figures.of('zerocast_stream_encode_seconds_total{stream="Tone"}')).toBeGreaterThan(0);
    expect(figures.of('zerocast_stream_chunk_age_seconds{stream="Tone"}')).toBeGreaterThan(0);
    client.close();
  });

  it('tell how fast the source of each stream is, and what of it waits where that can be told', async () => {
    const port = await freePort();
    await server.stop();
    server = await TestServer.start(tone, `stream.source=tcp://127.0.0.1:${port}?name=Net`);
    await until(() => server.log.with('waiting for a producer').length > 0);
    const producer = connect(port, '127.0.0.1');
    producer.write(Buffer.alloc(40_000, 1));
    await until(() => server.application.streams.channels.get('Net')?.stream.state === 'playing');
    const net = 'zerocast_stream_source_backlog_seconds{stream="Net"}';
    const figures = await figuresOf(server);
    expect(figures.of(net)).toBeGreaterThan(0);
    expect(figures.of(net)).toBeLessThan(40_000 / 192_000);
    expect(figures.of('zerocast_stream_source_drift_ppm{stream="Net"}')).toBe(0);
    expect(figures.of('zerocast_stream_source_drift_ppm{stream="Tone"}')).toBe(0);
    expect(figures.text).not.toContain('zerocast_stream_source_backlog_seconds{stream="Tone"}');
    producer.destroy();
  });

  it('count sends without loss when clients go and when somebody looks', async () => {
    const client = await ScriptedClient.greet(server.port, 'a');
    await client.untilCount(messageType.wireChunk, 10);
    const before = await figuresOf(server);
    const again = await figuresOf(server);
    const chunks = before.of('zerocast_chunks_total');
    expect(chunks).toBeGreaterThanOrEqual(10);
    expect(again.of('zerocast_chunks_total')).toBeGreaterThanOrEqual(chunks);
    expect(again.of('zerocast_client_chunks_total{client="a"}')).toBeGreaterThanOrEqual(10);
    expect(again.of('zerocast_client_skipped_chunks_total{client="a"}')).toBe(0);
    expect(again.of('zerocast_client_partial_sends_total{client="a"}')).toBeGreaterThanOrEqual(0);
    client.close();
    await until(() => server.application.server.sessionCount === 0);
    // Figures are measured a few times per second at most.
    let after = await figuresOf(server);
    while (after.text.includes('client="a"')) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      after = await figuresOf(server);
    }
    expect(after.of('zerocast_chunks_total')).toBeGreaterThanOrEqual(chunks);
  });

  it('tell of pool, memory and the delay of the event loop', async () => {
    const client = await ScriptedClient.greet(server.port, 'a');
    await client.untilCount(messageType.wireChunk, 5);
    const figures = await figuresOf(server);
    const used = figures.of('zerocast_pool_slots{state="used"}');
    expect(used).toBeGreaterThan(0);
    expect(figures.of('zerocast_pool_bytes')).toBeGreaterThan(used * 1024);
    expect(figures.of('process_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(figures.of('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThanOrEqual(0);
    client.close();
  });

  it('observe the process once, however many servers come and go in it', async () => {
    await figuresOf(server);
    const observers = vi.spyOn(performanceHooks, 'monitorEventLoopDelay');
    const another = await TestServer.start(tone);
    const figures = await figuresOf(another);
    expect(observers).not.toHaveBeenCalled();
    expect(figures.of('process_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(figures.of('zerocast_stream_listeners{stream="Tone"}')).toBe(0);
    observers.mockRestore();
    await another.stop();
  });
});

describe('what can be switched off', () => {
  it('is the series per client', async () => {
    const server = await TestServer.start(tone, 'http.metrics_per_client=false');
    const client = await ScriptedClient.greet(server.port, 'a');
    await client.untilCount(messageType.wireChunk, 1);
    const { text, of } = await figuresOf(server);
    expect(text).not.toContain('client="a"');
    expect(of('zerocast_chunks_total')).toBeGreaterThan(0);
    client.close();
    await server.stop();
  });

  it('is all of it', async () => {
    const server = await TestServer.start(tone, 'http.metrics=false');
    const response = await fetch(`http://127.0.0.1:${server.httpPort}/metrics`);
    expect(response.status).toBe(404);
    await server.stop();
  });
});
