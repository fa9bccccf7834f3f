/** What is played, by the names and types of the reference. Source: protocol reference, 16.5. */
export type Metadata = Readonly<
  Record<string, string | number | readonly string[] | Readonly<Record<string, string>>>
>;

/** What a stream plays and allows controllers to do. Source: protocol reference, 16.5. */
export interface StreamProperties {
  readonly canControl: boolean;
  readonly canGoNext: boolean;
  readonly canGoPrevious: boolean;
  readonly canPause: boolean;
  readonly canPlay: boolean;
  readonly canSeek: boolean;
  readonly playbackStatus?: 'playing' | 'paused' | 'stopped' | 'unknown';
  readonly loopStatus?: 'none' | 'track' | 'playlist';
  readonly shuffle?: boolean;
  /** Percent. */
  readonly volume?: number;
  readonly mute?: boolean;
  readonly rate?: number;
  readonly minimumRate?: number;
  readonly maximumRate?: number;
  /** Seconds. */
  readonly position?: number;
  readonly metadata?: Metadata;
}

/** Nothing is known, and nothing can be controlled. */
export const noProperties: StreamProperties = {
  canControl: false,
  canGoNext: false,
  canGoPrevious: false,
  canPause: false,
  canPlay: false,
  canSeek: false,
};

/** The same of a stream that cannot be heard now: controllers read why in the comment. */
export function withFault(properties: StreamProperties, fault: string): StreamProperties {
  return { ...properties, metadata: { ...properties.metadata, comment: [fault] } };
}
