import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

/**
 * What a line of a transcript is about.
 *
 * `>` a request, which ends in CR LF on TCP; `>>` exactly these bytes, with `\r` and `\n` for line
 * endings; `*>` a request of the other session; `!` something else that happens; `<` what the
 * session that asks receives; `*` what the other session receives, `**` what both receive; `=` what
 * a player receives; `|` what the control script reads.
 */
export type Mark = '>' | '>>' | '*>' | '!' | '<' | '*' | '**' | '=' | '|';

const acts: ReadonlySet<string> = new Set(['>', '>>', '*>', '!']);
const linePattern = /^(>>|\*>|\*\*|[>!<*=|]) (.*)$/;
const definitionPattern = /^<([^<>]+)> = (.*)$/;
const headPattern = /^(server|over) (.*)$/;

export interface TranscriptLine {
  readonly mark: Mark;
  readonly text: string;
  /** For messages: file and number of the line. */
  readonly place: string;
}

/** What happens, and everything that follows from it. */
export interface Step {
  readonly acts: readonly TranscriptLine[];
  readonly outcome: readonly TranscriptLine[];
}

export interface Transcript {
  readonly name: string;
  /** Settings of the server, as on the command line. */
  readonly settings: readonly string[];
  /** How it can be held, if not in every way. */
  readonly over: readonly string[] | undefined;
  /** Texts that have a name, in the order in which they were written. */
  readonly definitions: ReadonlyMap<string, string>;
  readonly steps: readonly Step[];
}

const folder = new URL('transcripts/', import.meta.url);
/** Names that all transcripts know. */
const definitionsFile = 'definitions.txt';

export function readTranscripts(): Transcript[] {
  const shared = readTranscript(definitionsFile).definitions;
  return readdirSync(folder)
    .filter((file) => file.endsWith('.txt') && file !== definitionsFile)
    .sort()
    .map((file) => {
      const transcript = readTranscript(file);
      const definitions = new Map([...shared, ...transcript.definitions]);
      return { ...transcript, definitions };
    });
}

function readTranscript(file: string): Transcript {
  return parseTranscript(file, readFileSync(new URL(file, folder), 'utf8'));
}

/** Failure: throws an `Error` that names the line which is none of a transcript. */
export function parseTranscript(file: string, text: string): Transcript {
  const heads: { readonly word: string; readonly rest: string }[] = [];
  const definitions = new Map<string, string>();
  const lines: TranscriptLine[] = [];
  for (const { text: line, number } of joinedLines(text)) {
    const place = `${file}:${number}`;
    const [, mark, rest = ''] = linePattern.exec(line) ?? [];
    const [, name = '', meaning] = definitionPattern.exec(line) ?? [];
    const [, word, value = ''] = headPattern.exec(line) ?? [];
    if (mark !== undefined) lines.push({ mark: mark as Mark, text: rest, place });
    else if (meaning !== undefined) definitions.set(name, meaning);
    else if (word !== undefined) heads.push({ word, rest: value });
    else throw new Error(`${place} is no line of a transcript: ${line}`);
  }
  const ways = heads.filter(({ word }) => word === 'over').map(({ rest }) => rest);
  return {
    name: basename(file, '.txt'),
    settings: heads.filter(({ word }) => word === 'server').map(({ rest }) => rest),
    over: ways.length > 0 ? ways : undefined,
    definitions,
    steps: stepsOf(lines),
  };
}

/** Without comments and empty lines; an indented line continues the one before. */
function joinedLines(text: string): { text: string; number: number }[] {
  const joined: { text: string; number: number }[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const last = joined.at(-1);
    if (line.startsWith('  ') && last) last.text += line.trimStart();
    else joined.push({ text: line, number: index + 1 });
  }
  return joined;
}

function stepsOf(lines: readonly TranscriptLine[]): Step[] {
  const steps: { acts: TranscriptLine[]; outcome: TranscriptLine[] }[] = [];
  for (const line of lines) {
    const isAct = acts.has(line.mark);
    let step = steps.at(-1);
    if (!step || (isAct && step.outcome.length > 0)) {
      step = { acts: [], outcome: [] };
      steps.push(step);
    }
    (isAct ? step.acts : step.outcome).push(line);
  }
  return steps;
}
