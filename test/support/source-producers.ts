import { chmodSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { createAirplaySource } from '../../src/audio/sources/airplay-source.ts';
import { createLibrespotSource } from '../../src/audio/sources/librespot-source.ts';
import type { InputQueue } from '../../src/audio/sources/stream-source.ts';
import { FifoWriter, makeFifoAt } from './fifo.ts';
import { recordingLogger, SourceHarness, sourceContext } from './source-harness.ts';
import { until } from './waiting.ts';

const pieceBytes = 16_384;

/** One producer at work. */
export interface Producer {
  /** Offers more audio, after what it offers already. */
  add(audio: Buffer): void;
  /** Bytes that it got rid of. */
  accepted(): number;
  leave(): void;
}

export interface ProduceOptions {
  /** Do not leave when all audio is accepted. */
  readonly stays?: boolean;
}

/** A source, not started yet, and the means to be its producer. */
export interface SourceRig {
  readonly harness: SourceHarness;
  /** A source of the same kind with an address of its own. */
  another(): SourceHarness;
  produce(audio: Buffer, options?: ProduceOptions): Promise<Producer>;
  close(): Promise<void>;
}

export interface RigKind {
  readonly kind: string;
  /** With a queue the system tells what waits, else the source reads ahead. */
  open(folder: string, queue?: InputQueue): Promise<SourceRig>;
}

/** Every kind of source that waits for a producer. */
export const rigKinds: readonly RigKind[] = [
  { kind: 'pipe', open: openPipeRig },
  { kind: 'process', open: (...where) => openProgramRig('process', ...where) },
  { kind: 'librespot', open: (...where) => openProgramRig('librespot', ...where) },
  { kind: 'airplay', open: (...where) => openProgramRig('airplay', ...where) },
  { kind: 'tcp server', open: openServerRig },
  { kind: 'tcp client', open: openClientRig },
];

async function openPipeRig(folder: string, queue?: InputQueue): Promise<SourceRig> {
  const path = join(folder, 'fifo');
  return fifoRig(path, (name) => harnessOf(`pipe://${join(folder, name)}`, queue));
}

/** The program passes on what comes through a fifo, and ends with it. */
async function openProgramRig(
  scheme: 'process' | 'librespot' | 'airplay',
  folder: string,
  queue?: InputQueue,
): Promise<SourceRig> {
  const path = join(folder, 'feed');
  makeFifoAt(path);
  return fifoRig(path, (name) => {
    const program = join(folder, `program-${name}`);
    writeFileSync(program, '#!/bin/sh\nexec cat feed\n');
    chmodSync(program, 0o755);
    const address = `${scheme}://${program}`;
    if (scheme === 'process') return harnessOf(address, queue);
    const { logger, records } = recordingLogger();
    const create = scheme === 'airplay' ? createAirplaySource : createLibrespotSource;
    const source = create(sourceContext(address, logger, undefined, queue));
    return new SourceHarness(source, undefined, undefined, records);
  });
}

function harnessOf(address: string, queue: InputQueue | undefined): SourceHarness {
  return new SourceHarness(address, undefined, queue);
}

function fifoRig(path: string, create: (name: string) => SourceHarness): SourceRig {
  const producers: Producer[] = [];
  return {
    harness: create('fifo'),
    another: () => create('another'),
    produce: async (audio, options) => {
      const producer = await fifoProducer(path, audio, options);
      producers.push(producer);
      return producer;
    },
    close: async () => {
      for (const producer of producers) producer.leave();
    },
  };
}

async function fifoProducer(
  path: string,
  audio: Buffer,
  { stays = false }: ProduceOptions = {},
): Promise<Producer> {
  let writer: FifoWriter | undefined;
  await until(() => {
    writer = openedWriter(path);
    return writer !== undefined;
  }, 'the fifo has a reader');
  let offered = audio;
  let written = 0;
  const leave = () => {
    clearInterval(timer);
    writer?.close();
    writer = undefined;
  };
  const timer = setInterval(() => {
    written += writer?.write(offered.subarray(written, written + 16 * pieceBytes)) ?? 0;
    if (written === offered.length && !stays) leave();
  }, 1);
  return {
    add: (more) => {
      offered = Buffer.concat([offered, more]);
    },
    accepted: () => written,
    leave,
  };
}

function openedWriter(path: string): FifoWriter | undefined {
  try {
    return new FifoWriter(path);
  } catch {
    return undefined;
  }
}

async function openServerRig(_: string, queue?: InputQueue): Promise<SourceRig> {
  const harness = harnessOf('tcp://127.0.0.1:0', queue);
  const sockets: net.Socket[] = [];
  return {
    harness,
    another: () => harnessOf('tcp://127.0.0.1:0', queue),
    produce: async (audio, options) => {
      const phrase = 'waiting for a producer';
      await until(() => harness.logged(phrase).length > 0, 'the source listens');
      const address = String(harness.logged(phrase)[0]?.fields.address);
      const socket = net.connect({ host: '127.0.0.1', port: Number(address.split(':')[1]) });
      sockets.push(socket);
      return socketProducer(socket, audio, options);
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function openClientRig(_: string, queue?: InputQueue): Promise<SourceRig> {
  const waiting: net.Socket[] = [];
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    waiting.push(socket);
    sockets.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const create = () => harnessOf(`tcp://127.0.0.1:${port}?mode=client`, queue);
  return {
    harness: create(),
    another: create,
    produce: async (audio, options) => {
      await until(() => waiting.length > 0, 'the source has connected');
      return socketProducer(waiting.shift()!, audio, options);
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function socketProducer(
  socket: net.Socket,
  audio: Buffer,
  { stays = false }: ProduceOptions = {},
): Producer {
  let queue = audio;
  let offeredBytes = 0;
  const write = () => {
    while (queue.length > 0) {
      const piece = queue.subarray(0, pieceBytes);
      queue = queue.subarray(pieceBytes);
      offeredBytes += piece.length;
      if (!socket.write(piece)) return;
    }
    if (!stays) socket.end();
  };
  socket.on('error', () => undefined);
  socket.on('drain', write);
  write();
  return {
    add: (more) => {
      queue = Buffer.concat([queue, more]);
      write();
    },
    accepted: () => offeredBytes - socket.writableLength,
    leave: () => socket.destroy(),
  };
}
