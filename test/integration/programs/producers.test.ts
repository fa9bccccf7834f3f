import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ControlClient } from '../../support/control-client.ts';
import { loudPcm } from '../../support/loud-pcm.ts';
import { ProgramStage } from '../../support/program-stage.ts';
import { freePort } from '../../support/server-process.ts';
import { groupOf, type ServerStatus, streamOf } from '../../support/server-status.ts';
import { until } from '../../support/waiting.ts';

// What these programs write and rely on: protocol reference, 7.2, 7.3 and 9.5.

const tone = 'stream.source=tone:///?name=default&codec=pcm';
const [codecHeader, wireChunk] = [1, 2];
let stage: ProgramStage;

afterEach(() => stage.close());

async function statusOf(): Promise<ServerStatus> {
  const { server } = (await stage.ask('Server.GetStatus')) as { server: ServerStatus };
  return server;
}

describe('PipeWire snapcast-discover', () => {
  const name = 'PipeWire-vm';
  const machines: Machine[] = [];

  afterEach(() => {
    for (const machine of machines.splice(0)) machine.shutDown();
  });

  /** It listens, asks the server to connect, and sends audio in real time. */
  class Machine {
    readonly #server: Server;
    readonly #sockets: Socket[] = [];
    readonly control: ControlClient;
    readonly address: string;

    static async start(): Promise<Machine> {
      const server = createServer();
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const machine = new Machine(server, await stage.controller());
      machines.push(machine);
      return machine;
    }

    private constructor(server: Server, control: ControlClient) {
      this.#server = server;
      this.control = control;
      this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      server.on('connection', (socket) => {
        this.#sockets.push(socket);
        const timer = setInterval(() => socket.write(loudPcm(20)), 20);
        socket.on('error', () => {}).on('close', () => clearInterval(timer));
      });
    }

    /** All at once: it never reads an answer. */
    introduce(lines: readonly string[]): void {
      this.control.send(lines.map((line) => `${line}\r\n`).join(''));
    }

    shutDown(): void {
      this.control.close();
      for (const socket of this.#sockets) socket.destroy();
      this.#server.close();
    }
  }

  const add = (id: number, address: string) =>
    `{"id":${id},"jsonrpc":"2.0","method":"Stream.AddStream","params":{"streamUri":` +
    `"tcp://${address}?name=${name}&mode=client&sampleformat=48000:16:2&codec=pcm&chunk_ms=20"}}`;
  const newest = (address: string) => [
    '{"id":1,"jsonrpc": "2.0","method":"Server.GetRPCVersion"}',
    `{"id":2,"jsonrpc":"2.0","method":"Stream.RemoveStream","params":{"id":"${name}"}}`,
    add(3, address),
  ];
  const older = (address: string) => [add(4, address)];

  it.each([
    ['removes what may not be there and adds its stream', newest],
    ['of an older kind only adds its stream', older],
  ])('%s, and again after a reboot', async (_what, lines) => {
    stage = await ProgramStage.open(tone);
    const first = await Machine.start();
    first.introduce(lines(first.address));
    await until(() => isPlaying(first), 'the stream plays');
    for (const { error } of first.control.inbox.answers()) expect(error).toBeUndefined();
    const { uri } = streamOf(await statusOf(), name);
    expect(uri).toMatchObject({ scheme: 'tcp', host: first.address, path: '' });
    expect(uri.query).toMatchObject({ codec: 'pcm', chunk_ms: '20', mode: 'client' });
    const [player] = await stage.joined('kitchen');
    const { id } = groupOf(await statusOf(), 'kitchen');
    await stage.ask('Group.SetStream', { id, stream_id: name });
    await player!.untilCount(codecHeader, 2);
    // The machine goes without a word and comes back with another port.
    const { control } = stage.server.application;
    const controllers = control.sessionCount;
    first.shutDown();
    await until(() => control.sessionCount < controllers, 'its controller has gone');
    await until(() => !isPlaying(first), 'the stream is idle');
    const second = await Machine.start();
    second.introduce(lines(second.address));
    await until(() => isPlaying(second), 'the stream plays again');
    expect(streamOf(await statusOf(), name).uri.host).toBe(second.address);
    await stage.ask('Group.SetStream', {
      id: groupOf(await statusOf(), 'kitchen').id,
      stream_id: name,
    });
    const heard = player!.of(wireChunk).length;
    await player!.untilCount(wireChunk, heard + 20);
    expect(player!.of(wireChunk).at(-1)?.body.subarray(12, 16)).toEqual(loudPcm(20).subarray(0, 4));
  });

  function isPlaying({ address }: { readonly address: string }): boolean {
    const stream = stage.server.application.streams.channels.get(name)?.stream;
    return stream?.state === 'playing' && stream.options.uri.host === address;
  }
});

describe('AriaCast', () => {
  const add = (controller: ControlClient, streamUri: string) =>
    controller.ask('Stream.AddStream', { streamUri });

  it('can tell a name that is taken from a port that is taken', async () => {
    stage = await ProgramStage.open(tone);
    const phone = await stage.controller();
    const port = await freePort();
    const uri = `tcp://0.0.0.0:${port}?name=AriaCast&sampleformat=48000:16:2`;
    expect(await add(phone, uri)).toMatchObject({ result: { id: 'AriaCast' } });
    const name = await add(phone, uri.replace(String(port), String(await freePort())));
    const taken = await add(phone, uri.replace('AriaCast', 'AriaCast 2'));
    expect(name.error).toMatchObject({
      code: -32603,
      data: expect.stringMatching(/already exists/),
    });
    expect(taken.error).toMatchObject({ code: -32603, data: expect.stringMatching(/EADDRINUSE/) });
    expect(taken.error?.data).not.toMatch(/already exists/);
    expect((await statusOf()).streams.map(({ id }) => id)).toEqual(['default', 'AriaCast']);
  });

  it('gives groups back what they played, and its port to the next phone', async () => {
    stage = await ProgramStage.open(tone, 'stream.source=tone:///?name=Radio&codec=pcm');
    await stage.joined('kitchen', 'bath');
    const phone = await stage.controller();
    const bath = groupOf(await statusOf(), 'bath').id;
    await stage.ask('Group.SetStream', { id: bath, stream_id: 'Radio' });
    const before = (await statusOf()).groups.map(({ id, stream_id }) => ({ id, stream_id }));
    const port = await freePort();
    await add(phone, `tcp://0.0.0.0:${port}?name=AriaCast`);
    for (const { id } of before) {
      await stage.ask('Group.SetStream', { id, stream_id: 'AriaCast' });
    }
    for (const { id, stream_id } of before) await stage.ask('Group.SetStream', { id, stream_id });
    phone.send(
      '{"id":2,"jsonrpc":"2.0","method":"Stream.RemoveStream","params":{"id":"AriaCast"}}\r\n',
    );
    expect(await phone.inbox.result(2)).toEqual({ id: 'AriaCast' });
    const after = (await statusOf()).groups.map(({ id, stream_id }) => ({ id, stream_id }));
    expect(after).toEqual(before);
    expect(after.map(({ stream_id }) => stream_id)).toEqual(['default', 'Radio']);
    expect(await add(phone, `tcp://0.0.0.0:${port}?name=Other phone`)).toMatchObject({
      result: { id: 'Other phone' },
    });
  });
});
