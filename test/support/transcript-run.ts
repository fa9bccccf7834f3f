import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Asker, type AskerKind, connectAsker } from './askers.ts';
import { FifoWriter } from './fifo.ts';
import { loudPcm } from './loud-pcm.ts';
import { Puppeteer } from './puppeteer.ts';
import { makeScratchFolder, removeScratchFolder } from './scratch-folder.ts';
import { TestServer } from './test-server.ts';
import { TranscriptPlayer } from './transcript-player.ts';
import type { Step, Transcript, TranscriptLine } from './transcript-text.ts';
import { TranscriptWords } from './transcript-words.ts';
import { turn, until } from './waiting.ts';

/** How a transcript is held. */
export interface Way {
  readonly name: string;
  /** The session that asks. */
  readonly asker: AskerKind;
  /** The session that is told. */
  readonly other: 'TCP' | 'WebSocket';
  /** Everybody logs in at first, but for a stranger who is told nothing. */
  readonly isGuarded?: boolean;
}

/** Longer than the server holds back any notification. */
const quietMs = 350;

const login = '"param":"ann:secret","scheme":"Plain"';
const guarded = [
  'authorization.enabled=true',
  'authorization.role=all:*',
  'authorization.user=ann:secret:all',
];
const barrier = '{"id":"barrier","jsonrpc":"2.0","method":"Barrier"}';

type Deed = (who: string, what: string) => unknown;

/** Messages in their order, and how many of them were looked at. */
class Hearing {
  readonly #texts: () => readonly string[];
  #read = 0;

  constructor(texts: () => readonly string[]) {
    this.#texts = texts;
  }

  get unread(): readonly string[] {
    return this.#texts().slice(this.#read);
  }

  async next(what: string): Promise<string> {
    await until(() => this.unread.length > 0, what);
    this.#read += 1;
    return this.#texts()[this.#read - 1] ?? '';
  }
}

/** Holds a transcript against a real server, line by line. */
export class TranscriptRun {
  readonly #transcript: Transcript;
  readonly #way: Way;
  readonly #words: TranscriptWords;
  readonly #folder = makeScratchFolder();
  readonly #puppeteer = Puppeteer.open(this.#folder);
  readonly #script = new Hearing(() => this.#puppeteer.texts);
  readonly #players = new Map<string, TranscriptPlayer>();
  readonly #playerHearings = new Map<string, Hearing>();
  readonly #fifos = new Map<string, FifoWriter>();
  readonly #sessions: { readonly asker: Asker; readonly hearing: Hearing }[] = [];
  #server: TestServer | undefined;

  /** Failure: rejects when anybody is told something else, or anything more. */
  static async hold(transcript: Transcript, way: Way): Promise<void> {
    const run = new TranscriptRun(transcript, way);
    try {
      await run.#open();
      for (const step of transcript.steps) await run.#follow(step);
      await run.#end();
    } finally {
      await run.#close();
    }
  }

  private constructor(transcript: Transcript, way: Way) {
    this.#transcript = transcript;
    this.#way = way;
    this.#words = new TranscriptWords(transcript.definitions);
    this.#words.define('folder', this.#folder);
  }

  async #open(): Promise<void> {
    const { settings } = this.#transcript;
    const { asker, other, isGuarded = false } = this.#way;
    mkdirSync(join(this.#folder, 'sandbox'));
    const all = [
      `stream.plugin_dir=${this.#folder}/plug-ins`,
      `stream.sandbox_dir=${this.#folder}/sandbox`,
      'http.host=vm',
      // The stranger never logs in, and stays to the end on a busy machine, too.
      'limits.login_timeout=600000',
      ...settings.map((setting) => this.#words.filled(setting)),
      ...(isGuarded ? guarded : []),
    ];
    this.#server = await TestServer.start(...all);
    this.#words.define('http port', `${this.#server.httpPort}`);
    // What has changed before anybody came is nobody's concern here.
    await quiet();
    for (const kind of [asker, other]) await this.#connect(kind);
    if (isGuarded) await this.#logIn();
    if (all.includes('authorization.enabled=true')) await this.#connect('TCP');
  }

  async #connect(kind: AskerKind): Promise<void> {
    const asker = await connectAsker(kind, this.#server!);
    this.#sessions.push({ asker, hearing: new Hearing(() => asker.texts) });
  }

  async #logIn(): Promise<void> {
    for (const { asker, hearing } of this.#sessions) {
      asker.ask(`{"id":0,"jsonrpc":"2.0","method":"Server.Authenticate","params":{${login}}}`);
      expect(await hearing.next('the login is answered')).toContain('"result":"ok"');
    }
  }

  async #follow({ acts, outcome }: Step): Promise<void> {
    for (const act of acts) await this.#act(act);
    await this.#expect(outcome);
    // What is held back behind an event would come together with the next of its kind, and pass.
    if (outcome.some(isEvent)) await quiet();
    await this.#settle(outcome.at(-1) ?? acts.at(-1)!);
  }

  async #act({ mark, text: written, place }: TranscriptLine): Promise<void> {
    const text = this.#words.filled(written);
    if (mark === '>') this.#session(0).asker.ask(text);
    else if (mark === '>>') this.#session(0).asker.say(bytesOf(text));
    else if (mark === '*>') this.#session(1).asker.ask(text);
    else await this.#happen(text, place);
    // What is sent apart shall come apart.
    await turn();
  }

  /** Shape: `<who> <does> <what>`. */
  async #happen(text: string, place: string): Promise<void> {
    const [, who = '', does = '', what = ''] = /^(\S+) (\S+)(?: (.*))?$/.exec(text) ?? [];
    const deed = this.#deeds.get(does);
    if (!deed) throw new Error(`${place}: nobody knows what "${does}" is`);
    await deed(who, what);
  }

  readonly #deeds: ReadonlyMap<string, Deed> = new Map<string, Deed>([
    ['Hello', (who, what) => this.#greet(who, what)],
    ['ClientInfo', (who, what) => this.#players.get(who)?.clientInfo(what)],
    ['leaves', (who) => this.#leave(who)],
    ['comes', () => this.#puppeteer.comes()],
    ['says', (_, what) => this.#puppeteer.say(what)],
    ['exits', () => this.#puppeteer.exit()],
    ['plays', (who) => this.#play(who)],
    ['ends', (who) => this.#fifos.get(who)?.close()],
  ]);

  async #greet(id: string, hello: string): Promise<void> {
    const player = await TranscriptPlayer.connect(this.#server!.port);
    this.#players.set(id, player);
    this.#playerHearings.set(id, new Hearing(() => player.texts));
    player.hello(this.#way.isGuarded ? hello.replace(/^\{/, `{"Auth":{${login}},`) : hello);
  }

  #leave(id: string): void {
    this.#players.get(id)?.close();
    this.#playerHearings.delete(id);
  }

  async #play(path: string): Promise<void> {
    let fifo: FifoWriter | undefined;
    await until(() => {
      fifo = openedFifo(path);
      return fifo !== undefined;
    }, `somebody reads ${path}`);
    fifo?.write(loudPcm(100));
    this.#fifos.set(path, fifo!);
  }

  async #expect(outcome: readonly TranscriptLine[]): Promise<void> {
    await this.#hearAnswers(outcome);
    for (const line of outcome) {
      const { mark, text } = line;
      if (mark === '|') await this.#hear(this.#script, line, text);
      else if (mark === '=') await this.#hearPlayer(line);
      else if (mark !== '<') await this.#hear(this.#session(1).hearing, line, text);
    }
  }

  /** Answers come in their order, and so does what everybody is told; which is first is open. */
  async #hearAnswers(outcome: readonly TranscriptLine[]): Promise<void> {
    const { asker, hearing } = this.#session(0);
    const answers = outcome.filter(({ mark }) => mark === '<');
    const events = asker.isTold ? outcome.filter(({ mark }) => mark === '**') : [];
    while (answers.length + events.length > 0) {
      const heads = [answers[0], events[0]].filter((line) => line !== undefined);
      const received = await hearing.next(heads.map((line) => this.#shown(line)).join(' or '));
      const line = heads.find(({ text }) => this.#words.fits(text, received)) ?? heads[0]!;
      this.#compare(line, line.text, received);
      (line === answers[0] ? answers : events).shift();
    }
  }

  async #hearPlayer(line: TranscriptLine): Promise<void> {
    const [, id = '', text = ''] = /^(\S+) (.*)$/.exec(line.text) ?? [];
    const hearing = this.#playerHearings.get(id);
    if (!hearing) throw new Error(`${line.place}: there is no player ${id}`);
    await this.#hear(hearing, line, text);
  }

  async #hear(hearing: Hearing, line: TranscriptLine, text: string): Promise<void> {
    this.#compare(line, text, await hearing.next(this.#shown(line)));
  }

  #compare({ mark, place }: TranscriptLine, text: string, received: string): void {
    expect(received, `${place} ${mark} over ${this.#way.name}`).toBe(
      this.#words.fit(text, received),
    );
  }

  #shown({ mark, place, text }: TranscriptLine): string {
    return `${place} over ${this.#way.name}: ${mark} ${this.#words.filled(text)}`;
  }

  /** Nobody was told anything more: what each session hears next is the answer to a request. */
  async #settle({ place }: { readonly place: string }): Promise<void> {
    const what = `nothing more follows on ${place} over ${this.#way.name}`;
    for (const { asker, hearing } of this.#sessions) {
      if (!asker.isTold) continue;
      asker.ask(barrier);
      expect(await hearing.next(what), what).toContain('"id":"barrier"');
    }
    for (const hearing of [...this.#playerHearings.values(), this.#script]) {
      expect(hearing.unread, what).toEqual([]);
    }
  }

  async #end(): Promise<void> {
    await quiet();
    const { asker, hearing } = this.#session(0);
    await asker.untilIdle();
    expect(hearing.unread).toEqual([]);
    await this.#settle({ place: 'the whole transcript' });
    expect(this.#server!.log.with('failed unexpectedly')).toEqual([]);
  }

  async #close(): Promise<void> {
    for (const player of this.#players.values()) player.close();
    for (const { asker } of this.#sessions) asker.close();
    await this.#server?.stop();
    this.#puppeteer.close();
    removeScratchFolder(this.#folder);
  }

  #session(index: 0 | 1): { readonly asker: Asker; readonly hearing: Hearing } {
    return this.#sessions[index]!;
  }
}

/** Complete statuses, and what nobody has asked for, are told only so often. */
function isEvent({ mark, text }: TranscriptLine): boolean {
  return mark === '**' || text.includes('"Server.OnUpdate"');
}

/** Resolves when nothing is held back any more. */
export function quiet(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, quietMs));
}

/** Bytes as they are written in a transcript. */
function bytesOf(text: string): string {
  return text.replaceAll('\\r', '\r').replaceAll('\\n', '\n');
}

/** `undefined` while nobody reads it. */
function openedFifo(path: string): FifoWriter | undefined {
  try {
    return new FifoWriter(path);
  } catch {
    return undefined;
  }
}
