import { broadcastOptions, streamDefaults } from '../app/streams.ts';
import { ChunkPool } from '../audio/chunk-pool.ts';
import { type ChunkTiming, chunkTiming } from '../audio/encoders/chunk-timing.ts';
import { codecName, createEncoder, parseCodec } from '../audio/encoders/codecs.ts';
import { vorbisLibraryInUse } from '../audio/encoders/ogg-encoder.ts';
import type { SampleFormat } from '../audio/sample-format.ts';
import { prepareSource } from '../audio/sources/prepare-source.ts';
import { openSource } from '../audio/sources/sources.ts';
import { parseStreamOptions, type StreamOptions } from '../audio/stream-options.ts';
import { textOf } from '../audio/stream-parameters.ts';
import { messageOf, RpcError } from '../base/errors.ts';
import { nameAtOrigin } from '../edge/origin-address.ts';
import { allowedScript } from '../streams/sandbox.ts';
import { sharedFifoAdvice, sharedFifos } from '../streams/shared-fifos.ts';
import { timingProblem } from '../streams/stream-timing.ts';
import type { PlayabilityOptions } from '../transport/playability.ts';
import { clipFileOf } from './clips-check.ts';
import type { DoctorContext } from './context.ts';
import { checkOrigin } from './edge-check.ts';
import { type Check, type Finding, fault, faultOf, note, ok, warning } from './finding.ts';
import { checkMeta } from './meta-check.ts';
import { NoteTaker } from './note-taker.ts';
import { refusalOf } from './server-user.ts';
import { inspectInput } from './source-inputs.ts';

/** Preparing others changes something. */
const isPrepared: ReadonlySet<string> = new Set(['clip', 'rtp', 'udp']);
const addressAdvice = 'correct this source in [stream]';

/** The streams of the configuration, without starting any of them. */
export function sourcesCheck(context: DoctorContext): Check {
  return { name: 'sources', timeoutMs: 30_000, run: () => checkSources(context) };
}

async function checkSources(context: DoctorContext): Promise<readonly Finding[]> {
  const { source: addresses } = context.config.stream;
  const names = new Set<string>();
  // Some take seconds, as they wait for a packet.
  const findings: (readonly Finding[] | Promise<readonly Finding[]>)[] = [];
  const streams: StreamOptions[] = [];
  for (const address of addresses) {
    try {
      const options = parseStreamOptions(address, streamDefaults(context.config));
      if (names.has(options.name)) findings.push([takenName(options.name)]);
      else {
        streams.push(options);
        findings.push(
          checkSource(options, context).catch((error) => [faultOf(error, addressAdvice)]),
        );
      }
      names.add(options.name);
    } catch (error) {
      findings.push([faultOf(error, addressAdvice)]);
    }
  }
  findings.push(checkDefault(context.config.stream.defaultSource, { names, streams }));
  const found = [
    ...(await Promise.all(findings)).flat(),
    ...sharedFifos(streams).map((shared) => warning(shared.fault, sharedFifoAdvice)),
  ];
  return found.length > 0 ? found : [note('there are no sources')];
}

/** Clients are sent to a stream of the configuration that has a codec. */
function checkDefault(
  name: string,
  { names, streams }: { names: ReadonlySet<string>; streams: readonly StreamOptions[] },
): readonly Finding[] {
  if (name === '') return [];
  const isMute = streams.some((one) => one.name === name && codecName(one.codec) === 'null');
  if (names.has(name) && !isMute) return [];
  const reason = isMute ? 'which no client can play, as its codec is null' : 'which is no source';
  const text = `default_source names "${name}", ${reason}`;
  return [warning(text, 'correct default_source in [stream]')];
}

function takenName(name: string): Finding {
  return fault(
    `two sources have the name "${name}", and the second one is left out`,
    'give each source a name of its own: ?name=...',
  );
}

async function checkSource(
  options: StreamOptions,
  context: DoctorContext,
): Promise<readonly Finding[]> {
  if (options.uri.scheme === 'snap') {
    const { uri } = options;
    const { login } = context.config.edge;
    const question = {
      uri,
      login,
      wanted: [nameAtOrigin(options)],
      setting: 'this source in [stream]',
    };
    return (await checkOrigin(question)).map((finding) => ofStream(options, finding));
  }
  const logger = new NoteTaker();
  const findClip = async (name: string) => clipFileOf(name, context);
  const surroundings = { ...options, logger, findClip };
  const isMeta = options.uri.scheme === 'meta';
  const { format } = isMeta
    ? options
    : await openSource(
        isPrepared.has(options.uri.scheme) ? await prepareSource(surroundings) : surroundings,
      );
  const problems = [
    ...options.warnings.map((text) => warning(text, addressAdvice)),
    ...logger.take(),
    ...(isMeta ? checkMeta(options.uri, context) : []),
    ...(await inspectInput(options, context)),
    ...(await checkEncoder(options, {
      format,
      sending: broadcastOptions(context.config),
      native: context.native,
    })),
    ...(isMeta ? [] : await checkScript(options, context)),
  ].map((finding) => ofStream(options, finding));
  const { scheme, host, path } = options.uri;
  const facts = `${scheme}://${host}${path}, ${format}, ${options.codec}`;
  const summary = ofStream(options, ok(facts));
  return problems.some(({ level }) => level === 'fault') ? problems : [summary, ...problems];
}

function ofStream({ name }: StreamOptions, { text, ...rest }: Finding): Finding {
  return { ...rest, text: text.includes(`"${name}"`) ? text : `stream "${name}": ${text}` };
}

interface EncoderSurroundings extends Pick<DoctorContext, 'native'> {
  readonly format: SampleFormat;
  readonly sending: PlayabilityOptions;
}

async function checkEncoder(
  options: StreamOptions,
  { format, sending, native }: EncoderSurroundings,
): Promise<readonly Finding[]> {
  const pool = new ChunkPool();
  try {
    const encoder = await createEncoder(options.codec, { format, pool });
    const sent = encoder.format;
    const timing = chunkTiming(encoder, { format, chunkMs: options.chunkMs });
    encoder.close();
    const findings = [
      ...codecNotes(options.codec, native),
      ...checkTiming(options, timing, sending),
    ];
    if (sent.equals(format)) return findings;
    const converted = `the audio is converted from ${format} to ${sent} for ${options.codec}`;
    return [note(converted), ...findings];
  } catch (error) {
    return [faultOf(error, 'choose another codec or sample format')];
  } finally {
    pool.close();
  }
}

function codecNotes(spec: string, native: DoctorContext['native']): readonly Finding[] {
  const { name, caveat } = parseCodec(spec).codec;
  const notes = caveat === undefined ? [] : [note(caveat)];
  if (name !== 'ogg') return notes;
  const { name: library, reason } = vorbisLibraryInUse(native);
  if (reason === undefined) return notes;
  const text = `ogg is encoded by ${library}, as the system's library is not used: ${reason}`;
  return [...notes, note(text, 'install libvorbisenc2 (Debian, Ubuntu), libvorbis (others)')];
}

function checkTiming(
  options: StreamOptions,
  timing: ChunkTiming,
  sending: PlayabilityOptions,
): readonly Finding[] {
  const isFeed = codecName(options.codec) === 'null';
  const problem = isFeed ? undefined : timingProblem(options, timing, sending);
  if (!problem) return [];
  const { plays, text, remedy } = problem;
  return [plays === 'nothing' ? fault(text, remedy) : warning(text, remedy)];
}

async function checkScript(
  options: StreamOptions,
  { config, serverUser }: DoctorContext,
): Promise<readonly Finding[]> {
  const script = textOf(options.uri, 'controlscript');
  if (script === undefined) return [];
  try {
    const { pluginDir } = config.stream;
    const path = await allowedScript({ script, pluginDir, isTrusted: true });
    const refusal = refusalOf(serverUser, path, 'execute');
    if (refusal === undefined) return [];
    return [fault(`the control script cannot be started: ${refusal}`, `chmod 755 ${path}`)];
  } catch (error) {
    const reason = error instanceof RpcError ? (error.data ?? error.message) : messageOf(error);
    const text = `${reason}: the stream plays without it`;
    return [warning(text, 'correct controlscript, or plugin_dir in [stream]')];
  }
}
