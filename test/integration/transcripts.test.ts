import { describe, it } from 'vitest';
import { TranscriptRun, type Way } from '../support/transcript-run.ts';
import { readTranscripts } from '../support/transcript-text.ts';

const ways: readonly Way[] = [
  { name: 'TCP', asker: 'TCP', other: 'TCP' },
  { name: 'WebSocket', asker: 'WebSocket', other: 'WebSocket' },
  { name: 'POST', asker: 'POST', other: 'TCP' },
  { name: 'TCP beside a stranger', asker: 'TCP', other: 'TCP', isGuarded: true },
];
const transcripts = readTranscripts();

describe.concurrent.each(ways)('over $name', (way) => {
  const here = transcripts.filter(({ over }) => over?.includes(way.name) ?? true);

  it.each(here.map((transcript) => [transcript.name, transcript] as const))(
    'everybody is told what the transcript says: %s',
    (_, transcript) => TranscriptRun.hold(transcript, way),
  );
});
