/** What a network source has received since it was started. */
export interface Reception {
  readonly packets: number;
  /** Never came, or not in time. */
  readonly lostPackets: number;
  /** Came when their time was over. */
  readonly latePackets: number;
  readonly duplicatePackets: number;
  /** Malformed, of another sender, of a kind that is not played, or without room for them. */
  readonly ignoredPackets: number;
  /** How long the audio was that was put in the place of lost audio. */
  readonly concealedMs: number;
  /** How much the time between packets varies. Source: RFC 3550, 6.4.1. */
  readonly jitterMs: number;
}
