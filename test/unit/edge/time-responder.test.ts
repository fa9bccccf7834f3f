import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, monotonicClock } from '../../../src/base/clock.ts';
import type { ClockExchange } from '../../../src/edge/clock-discipline.ts';
import { TimeAsker } from '../../../src/edge/time-asker.ts';
import { encodeTimeQuestion } from '../../../src/edge/time-datagram.ts';
import { TimeResponder } from '../../../src/edge/time-responder.ts';
import { until } from '../../support/waiting.ts';

const aheadUs = 1e9;
const ahead: Clock = { nowUs: () => monotonicClock.nowUs() + aheadUs };

let responder: TimeResponder;
let exchanges: ClockExchange[];
let byMessage: number;
let asker: TimeAsker;
let socket: Socket;

beforeEach(async () => {
  [exchanges, byMessage] = [[], 0];
  responder = await TimeResponder.open({ port: 0, addresses: ['127.0.0.1'], clock: ahead });
  asker = new TimeAsker({
    clock: monotonicClock,
    askByMessage: () => {
      byMessage += 1;
    },
    onExchange: (exchange) => exchanges.push(exchange),
  });
  socket = createSocket('udp4');
});

afterEach(() => {
  asker.stop();
  socket.close();
  responder.close();
});

describe('who asks for the time by UDP', () => {
  it('gets it within the round trip', async () => {
    asker.start({ ...responder.facts, address: '127.0.0.1' });
    await until(() => exchanges.length > 10, 'answers');
    for (const { askedUs, receivedUs, answeredUs, arrivedUs } of exchanges) {
      expect(answeredUs).toBeGreaterThanOrEqual(receivedUs);
      expect(receivedUs - aheadUs).toBeGreaterThanOrEqual(askedUs - 1);
      expect(answeredUs - aheadUs).toBeLessThanOrEqual(arrivedUs + 1);
    }
    expect(asker.isByUdp).toBe(true);
  });

  it('asks by message where no answer comes', async () => {
    const key = Buffer.alloc(8).toString('hex');
    asker.start({ port: responder.facts.port, key, address: '127.0.0.1' });
    await until(() => byMessage > 3, 'questions by message');
    expect(asker.isByUdp).toBe(false);
    expect(exchanges).toEqual([]);
  });

  it('asks by message at once where nothing is told by UDP', async () => {
    asker.start(undefined);
    expect(byMessage).toBe(1);
    await until(() => byMessage > 3, 'more questions');
  });
});

describe('who tells the time', () => {
  const ask = (datagram: Buffer) => socket.send(datagram, responder.facts.port, '127.0.0.1');

  it('answers by no more bytes than it got', async () => {
    const question = encodeTimeQuestion({
      number: 7,
      key: Buffer.from(responder.facts.key, 'hex'),
    });
    ask(question);
    const [answer] = (await once(socket, 'message')) as [Buffer];
    expect(answer).toHaveLength(question.length);
  });

  it('is silent to what is no question of who knows the key', async () => {
    const heard: Buffer[] = [];
    socket.on('message', (message: Buffer) => heard.push(message));
    const key = Buffer.from(responder.facts.key, 'hex');
    const question = encodeTimeQuestion({ number: 7, key });
    const forged = Buffer.from(question);
    forged.writeUInt8(forged[8]! ^ 1, 8);
    for (const datagram of [
      forged,
      Buffer.alloc(0),
      Buffer.alloc(32),
      question.subarray(1),
      Buffer.concat([question, Buffer.alloc(1)]),
    ])
      ask(datagram);
    await setTimeout(50);
    ask(question);
    await until(() => heard.length > 0, 'the answer to the last one');
    expect(heard).toHaveLength(1);
  });
});
