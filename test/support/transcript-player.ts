import { messageType } from '../../src/protocol/layout.ts';
import { decodeCodecHeader, decodeRefusal } from '../../src/protocol/messages.ts';
import { playerMessage, textBody } from './player-messages.ts';
import { type Received, ScriptedClient } from './scripted-client.ts';

const helloId = 2;

/** What a message says, in one line. */
const forms: ReadonlyMap<number, (body: Buffer) => string> = new Map([
  [messageType.serverSettings, (body: Buffer) => body.toString('utf8', 4)],
  [messageType.codecHeader, codecText],
  [messageType.error, refusalText],
]);

/** A player of a transcript: what it is told besides audio and time. */
export class TranscriptPlayer {
  readonly #client: ScriptedClient;

  static async connect(port: number): Promise<TranscriptPlayer> {
    return new TranscriptPlayer(await ScriptedClient.connect(port));
  }

  private constructor(client: ScriptedClient) {
    this.#client = client;
  }

  get texts(): string[] {
    const told = this.#client.received.filter(({ type }) => forms.has(type));
    const texts = told.map((message, index) => lineOf(message, index === 0 ? helloId : 0));
    return this.#client.isClosed ? [...texts, 'closed'] : texts;
  }

  hello(json: string): void {
    this.#say(messageType.hello, json);
  }

  clientInfo(json: string): void {
    this.#say(messageType.clientInfo, json);
  }

  close(): void {
    this.#client.close();
  }

  #say(type: number, json: string): void {
    this.#client.send(playerMessage({ type, id: helloId, body: textBody(json) }));
  }
}

/** That it refers to another request than it must is part of what it says. */
function lineOf({ type, refersTo, body }: Received, rightId: number): string {
  const said = forms.get(type)?.(body) ?? '';
  return refersTo === rightId ? said : `refersTo ${refersTo} instead of ${rightId}: ${said}`;
}

function codecText(body: Buffer): string {
  const { codec, payload } = decodeCodecHeader(body);
  return `${codec} ${payload.toString('hex')}`;
}

function refusalText(body: Buffer): string {
  const { code, name, detail } = decodeRefusal(body);
  return `${code} ${name}: ${detail}`;
}
