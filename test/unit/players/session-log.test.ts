import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import {
  lineIntervalMs,
  maxCountedAddresses,
  maxLinesPerInterval,
  SessionLog,
} from '../../../src/players/session-log.ts';
import { LogLines } from '../../support/log-lines.ts';

let lines: LogLines;
let log: SessionLog;

beforeEach(() => {
  vi.useFakeTimers();
  lines = new LogLines();
  lines.isEnabled = () => false;
  log = new SessionLog(lines);
});

afterEach(() => {
  log.stop();
  vi.useRealTimers();
});

function closed(count: number, address = '10.0.0.1'): void {
  for (let index = 0; index < count; index += 1) {
    log.add('closed', address, { level: 'info', phrase: 'session closed', fields: { address } });
  }
}

const summaries = () => lines.with('lines were left out').map(({ fields }) => fields);

it('says everything while little happens', () => {
  closed(maxLinesPerInterval);
  log.add('hello', '10.0.0.1', { level: 'info', phrase: 'Hello', fields: {} });
  vi.advanceTimersByTime(lineIntervalMs);
  closed(maxLinesPerInterval);
  vi.advanceTimersByTime(lineIntervalMs);
  expect(lines.lines).toHaveLength(2 * maxLinesPerInterval + 1);
  expect(summaries()).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

it('says once how much it has left out about an address, and all about others', () => {
  closed(maxLinesPerInterval + 500);
  closed(1, '10.0.0.2');
  expect(lines.lines).toHaveLength(maxLinesPerInterval + 1);
  vi.advanceTimersByTime(lineIntervalMs);
  expect(summaries()).toEqual([{ address: '10.0.0.1', closed: 500 }]);
  closed(1);
  expect(lines.lines).toHaveLength(maxLinesPerInterval + 3);
});

it('says at the end what it has left out', () => {
  closed(maxLinesPerInterval + 5);
  log.stop();
  expect(summaries()).toEqual([{ address: '10.0.0.1', closed: 5 }]);
  expect(vi.getTimerCount()).toBe(0);
});

it('counts all but a number of addresses together', () => {
  for (let index = 0; index < 2 * maxCountedAddresses; index += 1) closed(1, `address ${index}`);
  expect(lines.lines).toHaveLength(maxCountedAddresses + maxLinesPerInterval);
  expect(vi.getTimerCount()).toBe(maxCountedAddresses + 1);
});

it('says everything to whoever wants to see all', () => {
  lines.isEnabled = () => true;
  closed(3 * maxLinesPerInterval);
  vi.advanceTimersByTime(lineIntervalMs);
  expect(lines.lines).toHaveLength(3 * maxLinesPerInterval);
});
