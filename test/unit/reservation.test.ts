import { expect, it } from 'vitest';
import { Reservation } from '../../src/transport/reservation.ts';

it('is held by one at a time', () => {
  const reservation = new Reservation();
  expect(reservation.tryHold()).toBe(true);
  expect(reservation.tryHold()).toBe(false);
  expect(reservation.tryRaise()).toBe(false);
  reservation.letGo();
  expect(reservation.isFree).toBe(true);
});

it('counts asynchronous writes and refuses the fan-out until all have ended', () => {
  const reservation = new Reservation();
  expect(reservation.tryRaise()).toBe(true);
  expect(reservation.tryRaise()).toBe(true);
  reservation.lower();
  expect(reservation.tryHold()).toBe(false);
  reservation.lower();
  expect(reservation.tryHold()).toBe(true);
});

it('cannot be let go by somebody who does not hold it', () => {
  const reservation = new Reservation();
  reservation.tryRaise();
  reservation.letGo();
  expect(reservation.isFree).toBe(false);
});
