import { describe, expect, it } from 'vitest';
import { TestServer } from '../support/test-server.ts';

const good = 'stream.source=tone:///?name=Good&codec=pcm';

describe('a stream whose chunks nobody could play', () => {
  it('is refused when a controller adds it, with the smallest buffer that works', async () => {
    const server = await TestServer.start(good, 'stream.buffer=500');
    const add = (rest: string) =>
      server.application.streams.add(`tone:///?name=New&${rest}`).then(
        () => 'added',
        (error: Error) => error.message,
      );
    expect(await add('codec=pcm&chunk_ms=500')).toMatch(/nothing is played: .* at least 551, or/);
    expect(await add('codec=flac:8&sampleformat=8000:16:1')).toMatch(/nothing is played: set/);
    expect([...server.application.streams.channels.keys()]).toEqual(['Good']);
    expect(await add('codec=pcm')).toBe('added');
    await server.stop();
  });

  it('is disabled when the configuration names it, and the log says why', async () => {
    const source = 'stream.source=tone:///?name=Long&codec=pcm&chunk_ms=1000';
    const server = await TestServer.start(source, good);
    expect(server.application.streams.channels.get('Long')?.stream.state).toBe('disabled');
    expect(server.application.streams.default?.id).toBe('Good');
    expect(server.log.with('stream disabled')).toEqual([
      expect.objectContaining({
        fields: expect.objectContaining({
          stream: 'Long',
          reason: expect.stringMatching(/1000 ms .* set \[stream\] buffer to at least 1051/),
        }),
      }),
    ]);
    await server.stop();
  });

  it('plays with a warning when its chunks are just not too old', async () => {
    const source = 'stream.source=tone:///?name=Long&codec=pcm&chunk_ms=960';
    const server = await TestServer.start(source);
    expect(server.application.streams.channels.get('Long')?.stream.state).not.toBe('disabled');
    expect(server.log.with('audio may come too late')).toHaveLength(1);
    await server.stop();
  });

  it('may be one that is sent to nobody', async () => {
    const source = 'stream.source=tone:///?name=Feed&codec=null&chunk_ms=1000';
    const server = await TestServer.start(source, good);
    expect(server.application.streams.channels.get('Feed')?.stream.state).not.toBe('disabled');
    await server.stop();
  });
});
