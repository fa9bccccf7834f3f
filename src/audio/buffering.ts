/** How well a source that buffers ahead has got on since it was made. */
export interface Buffering {
  readonly connections: number;
  /** How often there was too little, which is heard as a gap. */
  readonly shortages: number;
  readonly bufferedMs: number;
}
