import { afterEach, describe, expect, it } from 'vitest';
import type { Access, Login } from '../../../src/auth/access.ts';
import { ControlMessage } from '../../../src/control/control-peer.ts';
import {
  ControlSession,
  maxPending,
  maxPendingLength,
} from '../../../src/control/control-session.ts';
import { maxUnreadBeforeStatus } from '../../../src/control/notifier.ts';
import { maxLinesPerInterval } from '../../../src/players/session-log.ts';
import type { ControlTransport } from '../../support/control-ends.ts';
import { controlLimits } from '../../support/control-limits.ts';
import { ControlRig, type ControlRigOptions } from '../../support/control-rig.ts';
import { LogLines } from '../../support/log-lines.ts';
import { turn, until } from '../../support/waiting.ts';

const { maxRequestBytes: maxLineBytes } = controlLimits;

const unexpectedFailure =
  '{"error":{"code":-32603,"data":"unexpected failure, see the log of the server","message":"Internal error"},"id":null,"jsonrpc":"2.0"}';

const somebody: Login = { user: 'somebody', permits: () => true };
const loginNeeded: Access = { anonymous: undefined, login: async () => somebody };

const rigs: ControlRig[] = [];

afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.close();
});

function rigOf(options: ControlRigOptions = {}): ControlRig {
  const rig = new ControlRig(options);
  rigs.push(rig);
  return rig;
}

/** A handler whose answers come when the test says so. */
class LateAnswers {
  readonly asked: string[] = [];
  readonly #resolves = new Map<string, (answer: string | undefined) => void>();

  readonly handle = (text: string): Promise<string | undefined> => {
    this.asked.push(text);
    return new Promise((resolve) => this.#resolves.set(text, resolve));
  };

  answer(text: string): void {
    this.#resolves.get(text)?.(text.endsWith('silent') ? undefined : text);
  }
}

function told(who: { readonly texts: readonly string[] }, count: number): Promise<void> {
  return until(() => who.texts.length >= count, `${count} messages`);
}

describe.each<ControlTransport>(['TCP', 'WebSocket'])('a control session over %s', (transport) => {
  it('answers what it is asked, if there is an answer', async () => {
    const rig = rigOf({ handle: (text) => (text === 'silent' ? undefined : `re ${text}`) });
    const controller = await rig.join(transport);
    for (const text of ['1', 'silent', '2']) controller.ask(text);
    await told(controller, 2);
    expect(controller.texts).toEqual(['re 1', 're 2']);
    expect(rig.callers.get('1')?.remoteAddress).toBe('127.0.0.1');
  });

  it('answers late what takes time, and everything else meanwhile', async () => {
    const late = new LateAnswers();
    const rig = rigOf({
      handle: (text) => (text.startsWith('late') ? late.handle(text) : text),
    });
    const controller = await rig.join(transport);
    for (const text of ['late 1', 'late 2', 'late silent', '3']) controller.ask(text);
    await told(controller, 1);
    late.answer('late 2');
    late.answer('late silent');
    await told(controller, 2);
    late.answer('late 1');
    await told(controller, 3);
    expect(controller.texts).toEqual(['3', 'late 2', 'late 1']);
  });

  it('is not read from while too many of its requests are unanswered', async () => {
    const late = new LateAnswers();
    const controller = await rigOf({ handle: late.handle }).join(transport);
    const count = 2 * maxPending + 10;
    for (let index = 0; index < count; index += 1) controller.ask(String(index));
    await until(() => late.asked.length === maxPending);
    for (let turns = 0; turns < 20; turns += 1) await turn();
    expect(late.asked).toHaveLength(maxPending);
    late.answer('5');
    await until(() => late.asked.length === maxPending + 1);
    expect(late.asked.at(-1)).toBe(String(maxPending));
    for (let index = 0; index < count; index += 1) {
      await until(() => late.asked.length > index);
      late.answer(String(index));
    }
    await told(controller, count);
    expect(new Set(controller.texts).size).toBe(count);
  });

  it('is not read from while too long ones are unanswered', async () => {
    const late = new LateAnswers();
    const controller = await rigOf({ handle: late.handle }).join(transport);
    const long = (name: string) => name.padEnd(maxPendingLength / 2, '.');
    const texts = ['1', '2', '3', '4'].map(long);
    for (const text of texts) controller.ask(text);
    await until(() => late.asked.length === 2);
    for (let turns = 0; turns < 20; turns += 1) await turn();
    expect(late.asked).toHaveLength(2);
    for (const [index, text] of texts.entries()) {
      await until(() => late.asked.length > index);
      late.answer(text);
    }
    await told(controller, texts.length);
    expect(controller.texts).toEqual(texts);
  });

  it('survives a handler that fails', async () => {
    const failures: Record<string, () => never | Promise<never>> = {
      throw: () => {
        throw new Error('at once');
      },
      reject: () => Promise.reject(new Error('later')),
    };
    const rig = rigOf({ handle: (text) => failures[text]?.() ?? text });
    const controller = await rig.join(transport);
    controller.ask('throw');
    await told(controller, 1);
    controller.ask('reject');
    await told(controller, 2);
    controller.ask('go on');
    await told(controller, 3);
    expect(controller.texts).toEqual([unexpectedFailure, unexpectedFailure, 'go on']);
    const lines = rig.log.with('a request failed unexpectedly');
    expect(lines.map(({ level, fields }) => [level, fields.reason])).toEqual([
      ['error', 'at once'],
      ['error', 'later'],
    ]);
  });

  it('takes no answer any more once it is closed', async () => {
    const late = new LateAnswers();
    const rig = rigOf({ handle: late.handle });
    const controller = await rig.join(transport);
    controller.ask('1');
    await until(() => late.asked.length === 1);
    controller.socket.resetAndDestroy();
    await until(() => rig.server.sessionCount === 0);
    late.answer('1');
    await turn();
    expect(rig.log.with('error')).toEqual([]);
  });

  it('is told of changes, unless it has made them', async () => {
    const rig = rigOf();
    const [ann, bob] = [await rig.join(transport), await rig.join(transport)];
    ann.ask('ann');
    await told(ann, 1);
    const client = rig.rig.join('cA');
    rig.server.announce({ kind: 'client-latency', client }, rig.callers.get('ann'));
    rig.server.announce({ kind: 'client-name', client });
    await told(ann, 2);
    await told(bob, 2);
    const name = '{"jsonrpc":"2.0","method":"Client.OnNameChanged","params":{"id":"cA","name":""}}';
    expect(ann.texts).toEqual(['ann', name]);
    expect(bob.texts).toEqual([
      '{"jsonrpc":"2.0","method":"Client.OnLatencyChanged","params":{"id":"cA","latency":0}}',
      name,
    ]);
    expect(rig.server.figures).toEqual({ requests: 1, notifications: 3 });
  });

  it('is told nothing before it has logged in', async () => {
    const rig = rigOf({
      access: loginNeeded,
      handle: (text, caller) => {
        if (text === 'log in') caller.login = somebody;
        return text;
      },
    });
    const controller = await rig.join(transport);
    const client = rig.rig.join('cA');
    rig.server.announce({ kind: 'client-name', client });
    controller.ask('first');
    controller.ask('log in');
    await told(controller, 2);
    rig.server.announce({ kind: 'client-latency', client });
    await told(controller, 3);
    expect(controller.texts.slice(0, 2)).toEqual(['first', 'log in']);
    expect(controller.texts[2]).toContain('Client.OnLatencyChanged');
  });

  it('is logged when it begins and when it ends, without what was said', async () => {
    const rig = rigOf();
    const controller = await rig.join(transport);
    controller.ask('secret');
    await told(controller, 1);
    controller.close();
    await until(() => rig.server.sessionCount === 0);
    const address = '127.0.0.1';
    expect(rig.log.lines).toEqual([
      {
        level: 'info',
        tag: 'ControlServer',
        phrase: 'controller connected',
        fields: { address, transport },
      },
      {
        level: 'info',
        tag: 'ControlServer',
        phrase: 'controller disconnected',
        fields: { address, transport, reason: 'closed by the peer' },
      },
    ]);
  });

  it('is waited for at the end of the server while it takes what it was told', async () => {
    const answer = 'x'.repeat(16 * 1024 * 1024);
    const rig = rigOf({ handle: () => answer });
    const controllers = [await rig.join(transport), await rig.join(transport)];
    for (const controller of controllers) {
      controller.pause();
      controller.ask('1');
    }
    await until(() => rig.server.figures.requests === 2);
    const [reader, other] = controllers;
    const ends: string[] = [];
    const end = rig.server.close().then(() => ends.push('closed'));
    await turn();
    other?.close();
    expect(ends).toEqual([]);
    reader?.resume();
    await end;
    await until(() => reader?.texts.length === 1);
    expect(reader?.texts[0]).toHaveLength(answer.length);
  });

  it('is not closed because the status is long, but told in the end how it is now', async () => {
    const status = `{"streams":[${' '.repeat(2 * controlLimits.maxQueuedBytes)}]}`;
    const rig = rigOf({ handle: () => status, intervals: { statusMs: 20 } });
    const client = rig.rig.join('cA');
    const controller = await rig.join(transport);
    controller.pause();
    controller.ask('1');
    await until(() => rig.server.figures.requests === 1);
    for (let count = 0; count < 3; count += 1) {
      rig.server.announce({ kind: 'client-name', client });
      await turn();
    }
    expect(rig.server.sessionCount).toBe(1);
    controller.resume();
    await told(controller, 2);
    expect(controller.texts[0]).toHaveLength(status.length);
    expect(controller.texts[1]).toContain('"method":"Server.OnUpdate"');
    // Whoever has read it is told every single thing again.
    rig.server.announce({ kind: 'client-name', client });
    await told(controller, 3);
    expect(controller.texts[2]).toContain('"method":"Client.OnNameChanged"');
  });

  it('is told every single thing while no status is among what it has to read', async () => {
    const rig = rigOf({ intervals: { statusMs: 20 } });
    const controller = await rig.join(transport);
    controller.ask('1');
    await told(controller, 1);
    const session = rig.callers.get('1');
    if (!(session instanceof ControlSession)) throw new Error('no session has asked');
    controller.pause();
    const long = new ControlMessage('x'.repeat(maxUnreadBeforeStatus));
    let count = 1;
    for (; session.queuedBytes <= maxUnreadBeforeStatus; count += 1) {
      session.send(long);
      await turn();
    }
    rig.server.announce({ kind: 'client-name', client: rig.rig.join('cA') });
    controller.resume();
    await told(controller, count + 1);
    expect(controller.texts.at(-1)).toContain('"method":"Client.OnNameChanged"');
  });

  it('is not waited for without end', async () => {
    const rig = rigOf({ handle: () => 'x'.repeat(16 * 1024 * 1024) });
    const controller = await rig.join(transport);
    controller.pause();
    controller.ask('1');
    await until(() => rig.server.figures.requests === 1);
    await rig.server.close();
    expect(controller.texts).toEqual([]);
  });

  it('ends with the server, and hears before what it was told', async () => {
    const rig = rigOf({ handle: () => 'x'.repeat(1024 * 1024) });
    const controller = await rig.join(transport);
    controller.ask('1');
    await until(() => rig.server.figures.requests === 1);
    rig.server.close();
    expect(rig.server.sessionCount).toBe(0);
    await until(controller.isClosed);
    expect(controller.texts).toHaveLength(1);
    const late = await rig.connect(transport);
    await until(late.isClosed);
    expect(rig.server.sessionCount).toBe(0);
  });
});

describe('a control session over TCP', () => {
  it('answers what is pending when the controller has ended its side', async () => {
    const late = new LateAnswers();
    const rig = rigOf({ handle: late.handle });
    const controller = await rig.join();
    controller.socket.end('1\n2\n');
    await until(() => late.asked.length === 2);
    late.answer('2');
    await told(controller, 1);
    expect(rig.server.sessionCount).toBe(1);
    late.answer('1');
    await until(controller.isClosed);
    expect(controller.texts).toEqual(['2', '1']);
  });

  it('answers all that came in one packet with the end, however much it is', async () => {
    const late = new LateAnswers();
    const controller = await rigOf({ handle: late.handle }).join();
    const texts = Array.from({ length: 3 * maxPending }, (_, index) => String(index));
    controller.socket.end(`${texts.join('\n')}\n`);
    for (const [index, text] of texts.entries()) {
      await until(() => late.asked.length > index);
      late.answer(text);
    }
    await until(controller.isClosed);
    expect(controller.texts).toEqual(texts);
  });

  it('is closed with a warning when it sends an endless line', async () => {
    const rig = rigOf();
    const controller = await rig.join();
    controller.socket.write(Buffer.alloc(maxLineBytes + 1, 'x'));
    await until(controller.isClosed);
    expect(controller.texts).toHaveLength(1);
    const [line] = rig.log.with('protocol violation');
    expect(line?.level).toBe('warn');
    expect(rig.server.sessionCount).toBe(0);
  });
});

describe('the control server', () => {
  it('serves both transports alike', async () => {
    const rig = rigOf();
    const [tcp, web] = [await rig.join('TCP'), await rig.join('WebSocket')];
    rig.server.announce({ kind: 'client-name', client: rig.rig.join('cA') });
    await told(tcp, 1);
    await told(web, 1);
    expect(web.texts).toEqual(tcp.texts);
  });

  it('tells of a controller that has asked for the status during a flap how it is now', async () => {
    const rig = rigOf({
      intervals: { streamMs: 60 },
      handle: (text) => {
        if (text.includes('"streams":[')) flap();
        return text;
      },
    });
    await rig.rig.stream('pipe://FOLDER/fifo?name=F');
    // What happened in between is over by now, but it may be what the status says.
    const flap = () => {
      const channel = rig.rig.streams.channels.get('F');
      if (!channel) throw new Error('no stream');
      rig.server.announce({ kind: 'stream-state', channel });
      rig.server.announce({ kind: 'stream-state', channel });
    };
    const [ann, bob] = [await rig.join(), await rig.join()];
    ann.ask('{"result":{"server":{"streams":[]}}}');
    await told(ann, 3);
    expect(ann.texts[2]).toBe(ann.texts[0]);
    expect(ann.texts[2]).toContain('Stream.OnUpdate');
    bob.ask('{"result":"another"}');
    await told(bob, 2);
    expect(bob.texts).toEqual([ann.texts[0], '{"result":"another"}']);
  });

  it('is not disturbed by controllers that leave while it tells them something', async () => {
    const rig = rigOf();
    const all = [];
    for (let count = 0; count < 20; count += 1) all.push(await rig.join());
    const client = rig.rig.join('cA');
    for (const controller of all.slice(0, 10)) controller.socket.resetAndDestroy();
    for (let count = 0; count < 100; count += 1) {
      rig.server.announce({ kind: 'client-name', client });
      await turn();
    }
    const [last] = all.slice(-1);
    await until(() => last?.texts.length === 100 && rig.server.sessionCount === 10);
  });

  it('does not fill the log when it comes again and again', async () => {
    const log = new LogLines();
    log.isEnabled = () => false; // nobody looks for a fault
    const visits = 3 * maxLinesPerInterval;
    const rig = rigOf({ log });
    for (let count = 0; count < visits; count += 1) {
      const controller = await rig.join();
      controller.socket.resetAndDestroy();
      await until(() => rig.server.sessionCount === 0, 'it has left');
    }
    expect(log.with('controller connected').length).toBeLessThan(visits);
    await rig.server.close();
    const told = log.with('controller connected').length;
    const leftOut = log.with('lines were left out').map(({ fields }) => Number(fields.created));
    expect(told + leftOut.reduce((sum, count) => sum + count, 0)).toBe(visits);
  });
});
