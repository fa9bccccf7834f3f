import { once } from 'node:events';
import { get } from 'node:http';
import { messageOf } from '../base/errors.ts';
import { parseJson } from '../base/foreign-text.ts';
import type { Config } from '../config/config.ts';
import { askControl } from '../probe/control-question.ts';
import { type ProbeReport, runProbe } from '../probe/probe.ts';
import type { DoctorContext } from './context.ts';
import { type Check, type Finding, fault, note, ok, warning } from './finding.ts';
import { describeProcess } from './process-table.ts';
import { runningServer } from './running-server.ts';

const listenSeconds = 2;
const answerTimeoutMs = 3000;
/** The name of our player, which the server forgets afterwards. */
const clientId = 'zerocast-doctor';
const hungAdvice = 'look into the log of the server, and restart it';

/** A server that runs at these ports already: does it answer, and does audio flow? */
export function serverCheck(context: DoctorContext): Check {
  return { name: 'running server', run: () => checkServer(context) };
}

async function checkServer(context: DoctorContext): Promise<readonly Finding[]> {
  const { config } = context;
  const { tcpStreaming, tcpControl, http } = config;
  const owner = runningServer(context);
  if (!owner) return [note('no zerocast runs at these ports')];
  return [
    ok(`${describeProcess(owner)} runs at these ports`),
    ...(http.enabled && http.port > 0 ? [await checkHealth(config)] : []),
    ...(tcpControl.enabled && tcpControl.port > 0 ? [await checkControl(config)] : []),
    ...(tcpStreaming.enabled && tcpStreaming.port > 0 ? [await checkAudio(config)] : []),
  ];
}

/** An address of this machine at which a listener can be reached. */
function hostOf([address = '::']: readonly string[]): string {
  return address === '::' || address === '0.0.0.0' ? '127.0.0.1' : address;
}

async function checkHealth({ http }: Config): Promise<Finding> {
  const { port, bindToAddress } = http;
  try {
    const request = get({ host: hostOf(bindToAddress), port, path: '/healthz' });
    request.setTimeout(answerTimeoutMs, () => request.destroy(new Error('no answer came')));
    const [{ statusCode }] = (await once(request, 'response')) as [{ statusCode: number }];
    request.destroy();
    if (statusCode === 200) return ok('GET /healthz is answered by 200');
    return fault(`GET /healthz is answered by ${statusCode}`, hungAdvice);
  } catch (error) {
    return fault(`GET /healthz on port ${port} failed (${messageOf(error)})`, hungAdvice);
  }
}

async function checkControl(config: Config): Promise<Finding> {
  try {
    const answer = await ask(config, 'Server.GetRPCVersion', {});
    const { result } = parseJson(answer) as { result?: { major?: number; minor?: number } };
    if (result?.major === undefined) {
      return note('the control port answers, and wants a login first');
    }
    return ok(`the control port speaks JSON-RPC version ${result.major}.${result.minor}`);
  } catch (error) {
    const { port } = config.tcpControl;
    return fault(`the control port ${port} does not answer (${messageOf(error)})`, hungAdvice);
  }
}

async function ask({ tcpControl }: Config, method: string, params: object): Promise<string> {
  const { bindToAddress, port } = tcpControl;
  const host = hostOf(bindToAddress);
  return askControl({ host, port, method, params, timeoutMs: answerTimeoutMs });
}

async function checkAudio(config: Config): Promise<Finding> {
  const { bindToAddress, port } = config.tcpStreaming;
  let last = '';
  const at = { host: hostOf(bindToAddress), port, seconds: listenSeconds };
  const write = (text: string) => {
    last = text;
  };
  const controlPort = config.tcpControl.enabled ? config.tcpControl.port : undefined;
  const own = { id: clientId, isVisitor: true, controlPort };
  const options = { ...at, ...own, json: true, wavFile: undefined };
  await runProbe(options, { write, isTerminal: false });
  return audioFinding(JSON.parse(last) as ProbeReport);
}

function audioFinding(report: ProbeReport): Finding {
  const { chunks, codec, format, whole, bufferMs, reason, gaps, decodeErrors } = report;
  if (bufferMs === null) {
    return note(`a player without a login is turned away (${reason})`);
  }
  if (chunks === 0) {
    return note('a player gets no audio now', 'play something into the source of the first stream');
  }
  const text = `audio flows: ${codec} ${format}, ${chunks} chunks in ${listenSeconds} s`;
  if (whole) return ok(text);
  const faults = `${gaps} gaps, ${decodeErrors} broken chunks, ${reason}`;
  return warning(`${text}, but it is not whole: ${faults}`, 'run "zerocast probe" for longer');
}
