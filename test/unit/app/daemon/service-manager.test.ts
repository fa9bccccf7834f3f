import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ServiceManager } from '../../../../src/app/daemon/service-manager.ts';
import { loadNativeAddon } from '../../../../src/base/native/native-addon.ts';
import { LogLines } from '../../../support/log-lines.ts';
import { NotifySocket } from '../../../support/notify-socket.ts';
import { makeScratchFolder, removeScratchFolder } from '../../../support/scratch-folder.ts';
import { until } from '../../../support/waiting.ts';

const native = loadNativeAddon();
if (!('addon' in native)) throw new Error(`no addon: ${native.reason}`);
const { sendDatagram } = native.addon;

let folder: string;
let socket: NotifySocket;
let manager: ServiceManager | undefined;
beforeEach(async () => {
  folder = makeScratchFolder();
  socket = await NotifySocket.open(folder);
});
afterEach(() => {
  manager?.close();
  socket.close();
  removeScratchFolder(folder);
});

type Environment = Record<string, string | undefined>;

function open(environment: Environment, more: object = {}): ServiceManager {
  manager = new ServiceManager({ environment, sendDatagram, ...more });
  return manager;
}
const here = (): Environment => ({ NOTIFY_SOCKET: socket.path });
const said = (line: string) => () => socket.messages.some((message) => message.includes(line));

describe('the service manager', () => {
  it('is told how the server is, in order', async () => {
    const server = open(here());
    server.ready(() => '2 streams,\n3 players');
    server.reloading();
    server.reloaded('all is well');
    server.stopping();
    await until(said('STOPPING=1'));
    const [, monotonic] = /=(\d+)$/.exec(socket.messages[1]?.[1] ?? '') ?? [];
    expect(socket.messages).toEqual([
      ['READY=1', 'STATUS=2 streams, 3 players'],
      ['RELOADING=1', expect.stringMatching(/^MONOTONIC_USEC=\d+$/), 'STATUS=reloading'],
      ['READY=1', 'STATUS=all is well'],
      ['STOPPING=1', 'STATUS=stopping'],
    ]);
    const uptimeUs = Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 1e6;
    expect(Math.abs(Number(monotonic) - uptimeUs)).toBeLessThan(60e6);
  });

  it('alone is told: children do not inherit the way to it', () => {
    const environment = { ...here(), WATCHDOG_USEC: '1', WATCHDOG_PID: '1', HOME: '/x' };
    open(environment);
    expect(environment).toEqual({ HOME: '/x' });
  });

  it('is not told what it does not ask for', async () => {
    open({}).ready(() => 'not heard');
    open({ ...here(), WATCHDOG_USEC: '2000', WATCHDOG_PID: '1' }).ready(() => 'heard');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(socket.messages).toEqual([['READY=1', 'STATUS=heard']]);
  });

  it('hears the watchdog as long as the event loop turns, and not while it stands still', async () => {
    const environment = { ...here(), WATCHDOG_USEC: '20000', WATCHDOG_PID: String(process.pid) };
    let count = 0;
    open(environment).ready(() => `count ${++count}`);
    const signs = () => socket.messages.filter((message) => message[0] === 'WATCHDOG=1').length;
    await until(() => signs() >= 5);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = count;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    expect(count).toBe(before);
    await until(() => count > before);
    expect(socket.messages.at(-1)?.[1]).toMatch(/^STATUS=count \d+$/);
  });

  it('hears the watchdog twice in the time that it waits, until the end of the process', async () => {
    onTestFinished(() => void vi.useRealTimers());
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const server = open({ ...here(), WATCHDOG_USEC: '200000' });
    const told: string[] = [];
    const status = () => `${told.push('')}`;
    server.ready(status);
    // That it is ready, and the first sign of life.
    expect(told).toHaveLength(2);
    vi.advanceTimersByTime(1000);
    expect(told).toHaveLength(12);
    server.ready(status);
    server.close();
    const atEnd = told.length;
    vi.advanceTimersByTime(1000);
    expect(told.length).toBe(atEnd);
  });

  it('is told by a program where the addon is missing', async () => {
    const notifyCommand = join(folder, 'systemd-notify');
    const out = join(folder, 'out');
    const script = `#!/bin/sh\necho "$NOTIFY_SOCKET" "$@" >> ${out}.new; mv ${out}.new ${out}\n`;
    writeFileSync(notifyCommand, script);
    chmodSync(notifyCommand, 0o755);
    open(here(), { sendDatagram: undefined, notifyCommand }).ready(() => 'fine');
    await expect
      .poll(() => {
        try {
          return readFileSync(out, 'utf8');
        } catch {
          return '';
        }
      })
      .toBe(`${socket.path} --pid=${process.pid} READY=1 STATUS=fine\n`);
  });

  it('is told by the real program, too', async () => {
    open(here(), { sendDatagram: undefined }).ready(() => 'fine');
    await until(() => socket.messages.some((message) => message.includes('READY=1')));
  });

  it.each([
    ['nobody listens', { NOTIFY_SOCKET: '/nowhere/at/all' }, {}],
    [
      'the program is missing',
      { NOTIFY_SOCKET: '/nowhere' },
      { sendDatagram: undefined, notifyCommand: '/nowhere/notify' },
    ],
    [
      'the program fails',
      { NOTIFY_SOCKET: '/nowhere' },
      { sendDatagram: undefined, notifyCommand: '/bin/false' },
    ],
  ])('is given up with one warning when %s', async (_, environment, more) => {
    const lines = new LogLines();
    const server = open({ ...environment }, more);
    server.useLogger(lines);
    server.ready(() => 'fine');
    server.stopping();
    const complaints = () => lines.with('the service manager cannot be told').length;
    await until(() => complaints() > 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(complaints()).toBe(1);
  });
});
