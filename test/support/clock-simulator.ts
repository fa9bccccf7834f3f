import { ClockDiscipline } from '../../src/edge/clock-discipline.ts';
import { Random } from './random.ts';

/** What lies between an edge and its origin, and how their clocks differ. */
export interface SimulatedNetwork {
  /** One way, milliseconds. */
  readonly delayMs: number;
  /** Mean of what is added to each way, exponential. */
  readonly jitterMs: number;
  /** Share of messages that take longer, and by how much on average. */
  readonly spikes?: number;
  readonly spikeMs?: number;
  /** How much faster the clock of the origin runs. */
  readonly ppm: number;
  /** The rate itself drifts up and down by so much, in ten minutes. */
  readonly wanderPpm?: number;
  /** Every minute all that goes to the origin takes so much longer for eight seconds. */
  readonly burstMs?: number;
  /** What goes to the origin takes longer, always or from the tenth minute on. */
  readonly asymmetryMs?: number;
  readonly routeChangeMs?: number;
}

/** Microseconds. */
interface SimulatedErrors {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** So many seconds after the last answer. */
  readonly holdover60: number;
  readonly holdover239: number;
  readonly lockMs: number;
  /** How much faster than the origin's the time that is given out ran at most, over 20 ms. */
  readonly maxRatePpm: number;
  /** Moments in which the error was beyond the bound that was told, as a share. */
  readonly outOfBound: number;
}

const seconds = 1_000_000;
const settledUs = 60 * seconds;
const endUs = 900 * seconds;
const routeChangeUs = 600 * seconds;
const lookEveryUs = seconds / 4;

/** A quarter of an hour with exchanges, then four minutes without. */
export function simulateClocks(network: SimulatedNetwork, seed: number): SimulatedErrors {
  const random = new Random(seed);
  const discipline = new ClockDiscipline();
  const { delayMs, jitterMs, spikes = 0, spikeMs = 0, ppm, wanderPpm = 0 } = network;
  const startUs = 5_000 * seconds;
  const wanderUs = (600 * seconds) / (2 * Math.PI);
  const truth = (us: number) => {
    const passed = us - startUs;
    return (
      77_000 * seconds +
      ppm * 1e-6 * passed +
      wanderPpm * 1e-6 * wanderUs * Math.sin(passed / wanderUs)
    );
  };
  const exponential = (mean: number) => -mean * Math.log(1 - random.next());
  const wayUs = () =>
    1000 * (delayMs + exponential(jitterMs) + (random.chance(spikes) ? exponential(spikeMs) : 0));
  const extraUs = (us: number) => {
    const passed = us - startUs;
    const isBurst = passed % (60 * seconds) > 52 * seconds;
    const { burstMs = 0, asymmetryMs = 0, routeChangeMs = 0 } = network;
    return (
      1000 * ((isBurst ? burstMs : 0) + asymmetryMs + (passed > routeChangeUs ? routeChangeMs : 0))
    );
  };
  const errors: number[] = [];
  let outOfBound = 0;
  let maxRatePpm = 0;
  let lockUs = 0;
  let lookUs = startUs;
  const errorAt = (us: number) => discipline.offsetUs(us) - truth(us);
  const lookUntil = (us: number) => {
    for (; lookUs < us; lookUs += lookEveryUs) {
      if (lookUs < startUs + settledUs) continue;
      const error = errorAt(lookUs);
      errors.push(Math.abs(error));
      if (Math.abs(error) > discipline.errorBoundUs(lookUs)) outOfBound += 1;
      const ratePpm = (errorAt(lookUs + 20_000) - error) / 0.02;
      maxRatePpm = Math.max(maxRatePpm, Math.abs(ratePpm + ppm));
    }
  };
  let askUs = startUs;
  for (let count = 0; askUs < startUs + endUs; count += 1) {
    const receivedAtUs = askUs + wayUs() + extraUs(askUs);
    const answeredAtUs = receivedAtUs + 20;
    const arrivedUs = answeredAtUs + wayUs();
    lookUntil(arrivedUs);
    discipline.add({
      askedUs: askUs,
      receivedUs: receivedAtUs + truth(receivedAtUs),
      answeredUs: answeredAtUs + truth(answeredAtUs),
      arrivedUs,
    });
    if (discipline.isLocked && lockUs === 0) lockUs = arrivedUs - startUs;
    const pauseUs = count < 19 ? 50_000 : seconds * (0.9 + 0.2 * random.next());
    askUs = Math.max(askUs + pauseUs, arrivedUs);
  }
  const sorted = [...errors].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]!;
  return {
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
    holdover60: Math.abs(errorAt(askUs + 60 * seconds)),
    holdover239: Math.abs(errorAt(askUs + 239 * seconds)),
    lockMs: lockUs / 1000,
    maxRatePpm,
    outOfBound: outOfBound / errors.length,
  };
}
