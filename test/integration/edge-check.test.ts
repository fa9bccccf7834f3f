import { afterEach, describe, expect, it } from 'vitest';
import { edgeCheck } from '../../src/doctor/edge-check.ts';
import { sourcesCheck } from '../../src/doctor/source-check.ts';
import { doctorContext, findingsOf, textsOf } from '../support/doctor-rig.ts';
import { freePort } from '../support/server-process.ts';
import { TestServer } from '../support/test-server.ts';

let origin: TestServer | undefined;

afterEach(async () => {
  await origin?.stop();
  origin = undefined;
});

const checkOf = (port: number, ...streams: string[]) =>
  edgeCheck(
    doctorContext([
      ['edge.origin', `snap://127.0.0.1:${port}`],
      ...streams.map((name) => ['edge.streams', name] as const),
    ]),
  );

describe('the check of an edge', () => {
  it('says what the origin has, and how well its time is known', async () => {
    origin = await TestServer.start('stream.source=tone:///?name=Tone');
    const [streams, time, ...more] = await textsOf(checkOf(origin.port), 'ok');
    expect(streams).toMatch(/ has 1 streams, and a buffer of 1000 ms/);
    expect(time).toMatch(/known within .* ms, by UDP, round trip/);
    expect(more).toEqual([]);
    // It leaves nothing behind.
    expect(origin.application.registry.clients.size).toBe(0);
  });

  it('names streams that the origin has not', async () => {
    origin = await TestServer.start('stream.source=tone:///?name=Tone');
    const warnings = await textsOf(checkOf(origin.port, 'Tone', 'Radio'), 'warning');
    expect(warnings).toEqual([
      expect.stringMatching(/has no stream "Radio" -> name one that it has: Tone/),
    ]);
  });

  it('says that the time comes by TCP', async () => {
    origin = await TestServer.start('stream.source=tone:///?name=Tone', 'edge.time_port=0');
    expect(await textsOf(checkOf(origin.port), 'ok')).toContainEqual(
      expect.stringMatching(/known within .* by TCP/),
    );
  });

  it('finds that there is no origin', async () => {
    const faults = await textsOf(checkOf(await freePort()), 'fault');
    expect(faults).toEqual([expect.stringMatching(/does not answer.* -> start it, or correct/)]);
  });
});

it('a stream of another server is looked for there', async () => {
  origin = await TestServer.start('stream.source=tone:///?name=Tone');
  const address = (path: string) => `snap://127.0.0.1:${origin!.port}/${path}?name=Near`;
  const findings = (path: string) =>
    findingsOf(sourcesCheck(doctorContext([['stream.source', address(path)]])));
  expect((await findings('Tone')).map(({ level }) => level)).toEqual(['ok', 'ok']);
  expect((await findings('Radio')).map(({ level }) => level)).toEqual(['ok', 'warning', 'ok']);
});
