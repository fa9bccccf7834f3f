/** What a stream did not deliver in time, which is heard as a gap. */
export interface StreamTrouble {
  /** `late`: it came too late. `fast`: more came than time has passed. `silent`: none came. */
  readonly kind: 'late' | 'fast' | 'silent';
  readonly side: 'source' | 'server';
  readonly ms: number;
}
