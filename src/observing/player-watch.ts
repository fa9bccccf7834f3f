import type { Session } from '../players/session.ts';
import { ClockDrift } from './clock-drift.ts';
import { Recent } from './recent.ts';
import type { EventKind, OwnFigures, Verdict } from './sync-message.ts';
import type { TcpRow } from './tcp-facts-reader.ts';

const usualGapMs = 1000;
const gapMemory = 0.8;
/** The silence of a player whose questions come seldom means less: so many of its gaps more. */
const patientGaps = 3;
/** What goes on is told once in so long. */
const quietUs = 10_000_000;

interface PlayerLook {
  readonly tcp: TcpRow;
  readonly lostChunks: number;
  readonly own: OwnFigures | undefined;
}

/** What is found out about the connection of one player, look by look. */
export class PlayerWatch {
  readonly session: Session;
  readonly looks = new Recent<PlayerLook>();
  readonly #drift = new ClockDrift();
  #heardUs = 0;
  #gapMs = usualGapMs;
  readonly #told = new Map<EventKind, number>();
  verdict: Verdict = { who: 'nobody', level: 'good', because: [] };

  constructor(session: Session) {
    this.session = session;
  }

  get driftPpm(): number | undefined {
    return this.#drift.ppm;
  }

  look(nowUs: number, tcp: TcpRow, own: OwnFigures | undefined): void {
    const { session } = this;
    this.looks.add(nowUs, { tcp, own, lostChunks: session.path.totals.lostChunks });
    this.#drift.add(session.newestRequest);
    const { lastHeardUs } = session;
    if (lastHeardUs === this.#heardUs) return;
    if (this.#heardUs > 0) this.#noteGap((lastHeardUs - this.#heardUs) / 1000);
    this.#heardUs = lastHeardUs;
  }

  /** For how much longer than it uses to it has said nothing, while this server could have heard it. */
  silentMs(nowUs: number, awakeSinceUs: number): number {
    const heardUs = Math.max(this.session.lastHeardUs, awakeSinceUs);
    const patienceMs = patientGaps * Math.max(0, this.#gapMs - usualGapMs);
    return Math.max(0, (nowUs - heardUs) / 1000 - patienceMs);
  }

  /** Whether that is news: it was not told a moment ago. */
  isNews(what: EventKind, nowUs: number): boolean {
    const toldUs = this.#told.get(what) ?? Number.NEGATIVE_INFINITY;
    this.#told.set(what, nowUs);
    return nowUs - toldUs > quietUs;
  }

  #noteGap(gapMs: number): void {
    this.#gapMs = gapMemory * this.#gapMs + (1 - gapMemory) * gapMs;
  }
}
