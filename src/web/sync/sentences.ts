import type { EventKind, Evidence, Reason, SyncEvent } from '../../observing/sync-message.ts';
import { nameOfClient } from '../control/names.ts';
import { language } from '../settings.ts';
import { syncTexts } from '../text/sync-texts.ts';
import { texts } from '../text/texts.ts';

type Say = (value: number) => string;

/** What is not counted is a time or a share. */
const ofReason: Partial<Record<Reason, Say>> = {
  serverStalled: duration,
  serverLate: duration,
  unacknowledged: duration,
  longWay: duration,
  narrow: duration,
  silent: duration,
  waiting: duration,
  ownError: duration,
  encoderSlow: percent,
  notReading: percent,
};
const countedEvents: readonly EventKind[] = ['resent', 'skipped', 'encoderDropped'];

/** As people read it: milliseconds, or seconds where there are many. */
export function duration(ms: number): string {
  if (ms > 0 && ms < 0.05) return '< 0.1 ms';
  const isLong = Math.abs(ms) >= 10_000;
  const digits = isLong || Math.abs(ms) >= 10 ? 0 : 1;
  return `${number(isLong ? ms / 1000 : ms, digits)} ${isLong ? 's' : 'ms'}`;
}

export function number(value: number, digits: number): string {
  const { format } = new Intl.NumberFormat(language.value, { maximumFractionDigits: digits });
  return format(value).replace('-', '−');
}

function percent(share: number): string {
  return `${number(100 * share, 0)} %`;
}

export function sayReason({ reason, value }: Evidence): string {
  const { says } = syncTexts.value.reasons[reason];
  const say = ofReason[reason] ?? ((count: number) => number(count, 1));
  return typeof says === 'string' ? says : says(say(value));
}

export function sayEvent({ what, side, id, value = 0, text = '' }: SyncEvent): string {
  const say = syncTexts.value.happened[what];
  const figure = countedEvents.includes(what) ? number(value, 0) : duration(value);
  if (what === 'announcement') {
    const states: Readonly<Record<string, string>> = texts.value.announce.states;
    return say(states[text] ?? text, '', '');
  }
  if (id === undefined) return say(text === '' ? figure : text, '', '');
  const isOfStream = side === 'source' || side === 'server' || what.startsWith('stream');
  return say(isOfStream ? id : nameOfClient(id), figure, text);
}
