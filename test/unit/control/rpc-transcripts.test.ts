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

/** The status of the reference, whose fifo lies in another folder. */
const status =
  '{"id":1,"jsonrpc":"2.0","result":{"server":{"groups":[{"clients":[{"config":{"instance":1,"latency":0,"name":"","volume":{"muted":false,"percent":100}},"connected":true,"host":{"arch":"a","ip":"127.0.0.1","mac":"00:11:22:33:44:55","name":"h","os":"o"},"id":"cA","lastSeen":{"sec":1795172274,"usec":691089},"snapclient":{"name":"T","protocolVersion":2,"version":"9"}}],"id":"acbecea2-818e-928f-cc22-d5a590eaad45","muted":false,"name":"","stream_id":"F"}],"server":{"host":{"arch":"x86_64","ip":"","mac":"","name":"vm","os":"Debian GNU/Linux 12 (bookworm)"},"snapserver":{"controlProtocolVersion":1,"name":"Snapserver","protocolVersion":1,"version":"0.34.0"}},"streams":[{"id":"F","properties":{"canControl":false,"canGoNext":false,"canGoPrevious":false,"canPause":false,"canPlay":false,"canSeek":false},"status":"idle","uri":{"fragment":"","host":"","path":"/tmp/snapfifo","query":{"chunk_ms":"20","codec":"flac","name":"F","sampleformat":"48000:16:2"},"raw":"pipe:///tmp/snapfifo?chunk_ms=20&codec=flac&name=F&sampleformat=48000%3A16%3A2","scheme":"pipe"}}]}}}';

/** Source: protocol reference, appendix C. */
const transcripts: readonly (readonly [request: string, answer: string])[] = [
  ['{"id":1,"jsonrpc":"2.0","method":"Server.GetStatus"}', status],
  ['{"id":1,"jsonrpc":"2.0","method":"Server.GetStatus","params":{}}', status],
  [
    '{"id":1,"jsonrpc":"2.0","method":"Client.SetVolume","params":{"id":"cA","volume":{"percent":50}}}',
    '{"id":1,"jsonrpc":"2.0","result":{"volume":{"muted":false,"percent":50}}}',
  ],
  [
    '{"id":1,"jsonrpc":"2.0","method":"Client.SetLatency","params":{"id":"cA","latency":99999}}',
    '{"id":1,"jsonrpc":"2.0","result":{"latency":1000}}',
  ],
  [
    `{"id":1,"jsonrpc":"2.0","method":"Group.SetMute","params":{"id":"${groupId}","mute":true}}`,
    '{"id":1,"jsonrpc":"2.0","result":{"mute":true}}',
  ],
  [
    `{"id":1,"jsonrpc":"2.0","method":"Group.SetStream","params":{"id":"${groupId}","stream_id":"nope"}}`,
    '{"error":{"code":-32603,"data":"Stream not found","message":"Internal error"},"id":1,"jsonrpc":"2.0"}',
  ],
  [
    '{"id":1,"jsonrpc":"2.0","method":"Client.SetVolume","params":{"volume":{"percent":1}}}',
    '{"error":{"code":-32602,"data":"Parameter \'id\' is missing","message":"Invalid params"},"id":1,"jsonrpc":"2.0"}',
  ],
  [
    '{"id":1,"jsonrpc":"2.0","method":"Foo.Bar","params":{}}',
    '{"error":{"code":-32601,"message":"Method not found"},"id":1,"jsonrpc":"2.0"}',
  ],
  [
    '{"id":1,"jsonrpc":"2.0","method":"Stream.Control","params":{"id":"F","command":"play"}}',
    '{"error":{"code":4,"message":"Stream property canPlay is false"},"id":1,"jsonrpc":"2.0"}',
  ],
  [
    '{"id":1,"jsonrpc":"2.0","method":"Stream.AddStream","params":{"streamUri":"pipe:///tmp/new?name=New1"}}',
    '{"id":1,"jsonrpc":"2.0","result":{"id":"New1"}}',
  ],
  [
    '{"id":1,"jsonrpc":"2.0","method":"Stream.RemoveStream","params":{"id":"doesnotexist"}}',
    '{"id":1,"jsonrpc":"2.0","result":{"id":"doesnotexist"}}',
  ],
  [
    '[{"id":1,"jsonrpc":"2.0","method":"Server.GetRPCVersion"},{"id":2,"jsonrpc":"2.0","method":"Client.SetVolume","params":{"id":"cA","volume":{"percent":9}}},{"id":3,"jsonrpc":"2.0","method":"Nope"},{"jsonrpc":"2.0","method":"Server.GetStatus"},5]',
    '[{"id":1,"jsonrpc":"2.0","result":{"major":23,"minor":0,"patch":0}},{"id":2,"jsonrpc":"2.0","result":{"volume":{"muted":false,"percent":9}}},{"error":{"code":-32601,"message":"Method not found"},"id":3,"jsonrpc":"2.0"}]',
  ],
];

describe('a recorded request', () => {
  it.each(transcripts)('gets the recorded answer: %s', async (request, answer) => {
    const here = (text: string) => text.replaceAll('/tmp/', `${rig.folder}/`);
    expect(await rig.ask(here(request))).toBe(here(answer));
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
