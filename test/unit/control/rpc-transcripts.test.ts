import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RpcRig } from '../../support/rpc-rig.ts';

const groupId = 'acbecea2-818e-928f-cc22-d5a590eaad45';
let rig: RpcRig;

beforeEach(async () => {
  rig = new RpcRig();
  // A moment that has the microseconds of the transcript.
  rig.nowMs = 1_795_172_274_691_089 / 1000;
  await rig.stream('pipe://FOLDER/snapfifo?name=F');
  rig.restore({ id: groupId, streamId: 'F' }, 'cA');
  rig.join('cA', { arch: 'a', hostName: 'h', os: 'o', clientName: 'T', version: '9' });
});

afterEach(() => rig.close());

/** Each request with its answer. Source: protocol reference, appendix C. */
function readTranscripts(): readonly (readonly [request: string, answer: string])[] {
  const text = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');
  const appendix = text.slice(text.indexOf('\n## C '));
  return [...appendix.matchAll(/^> (.+)\n< (.+)$/gm)].map(([, request = '', answer = '']) => [
    request,
    answer,
  ]);
}

const transcripts = readTranscripts();

describe('a recorded request', () => {
  it.each(transcripts)('gets the recorded answer: %s', async (request, answer) => {
    const here = (text: string) => text.replaceAll('/tmp/', `${rig.folder}/`);
    expect(await rig.ask(here(request))).toBe(here(answer));
  });

  it('is one of many', () => expect(transcripts.length).toBeGreaterThan(10));

  it('may have parameters that say nothing', async () => {
    const ask = (params: string) =>
      rig.ask(`{"id":1,"jsonrpc":"2.0","method":"Server.GetStatus"${params}}`);
    expect(await ask(',"params":{}')).toBe(await ask(''));
  });

  it('cut anywhere gets one answer, which has no id', async () => {
    for (const [request] of transcripts) {
      for (let end = 0; end < request.length; end += 7) {
        const answer = JSON.parse(String(await rig.ask(request.slice(0, end))));
        expect(answer).toMatchObject({ error: { code: -32700 }, id: null });
      }
    }
    expect(rig.changes.filter(({ by }) => by === rig.caller)).toEqual([]);
  });
});
