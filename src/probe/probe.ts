import { monotonicClock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { packageVersion } from '../base/version.ts';
import { forgetVisitor } from './forget-visitor.ts';
import { ProbeClient } from './probe-client.ts';
import type { ProbeOptions } from './probe-options.ts';
import { WavWriter } from './wav-writer.ts';

const reportIntervalMs = 1000;

/** What the probe found so far; the JSON output. */
export interface ProbeReport {
  readonly done: boolean;
  /** Audio arrived without gap, duplicate or anything undecodable, and not cut off by a fault. */
  readonly whole: boolean;
  readonly codec: string;
  readonly format: string;
  readonly bufferMs: number | null;
  readonly chunks: number;
  readonly payloadBytes: number;
  readonly gaps: number;
  readonly missingMs: number;
  readonly duplicates: number;
  readonly decodeErrors: number;
  /** Age of the last chunk at its arrival, by the server's clock. */
  readonly ageMs: number | null;
  readonly maxAgeMs: number | null;
  readonly firstChunkMs: number | null;
  readonly offsetMs: number;
  readonly roundTripMs: number;
  readonly reason: string;
}

export interface ProbeOutput {
  readonly write: (text: string) => void;
  /** A terminal gets one line that is rewritten. */
  readonly isTerminal: boolean;
}

/** Exit status for a probe that never reached a server. */
export const unreachableStatus = 2;

/**
 * Listens to a server and reports; resolves with the exit status of the program.
 *
 * Ends after `seconds`, when `signal` aborts, or when the connection is lost.
 */
export function runProbe(
  options: ProbeOptions,
  output: ProbeOutput,
  signal?: AbortSignal,
): Promise<number> {
  return new Promise((resolve) => {
    let wav: WavWriter | undefined;
    let maxAgeUs = Number.NEGATIVE_INFINITY;
    let wavFault: string | undefined;
    const client = new ProbeClient({
      ...options,
      version: packageVersion,
      clock: monotonicClock,
      onAudio: ({ timestampUs, pcm, decoder }) => {
        if (client.ageUs !== undefined) maxAgeUs = Math.max(maxAgeUs, client.ageUs);
        if (options.wavFile === undefined || wavFault !== undefined) return;
        try {
          wav ??= new WavWriter(options.wavFile, decoder.format);
          wav.write({ timestampUs, pcm, format: decoder.format });
        } catch (error) {
          wavFault = messageOf(error);
          client.close(wavFault);
        }
      },
      onClose: (reason) => finish(reason),
    });
    const report = (done: boolean, reason: string): ProbeReport =>
      describe({ client, maxAgeUs, done, reason });
    const timer = setInterval(() => print(report(false, ''), options, output), reportIntervalMs);
    const stop = () => client.close(stopReason);
    const deadline = options.seconds && setTimeout(stop, options.seconds * 1000);
    signal?.addEventListener('abort', stop, { once: true });

    function finish(reason: string): void {
      clearInterval(timer);
      if (deadline) clearTimeout(deadline);
      signal?.removeEventListener('abort', stop);
      wav?.close();
      const final = report(true, reason);
      print(final, options, output);
      const reached = client.settings !== undefined;
      const status = reached ? Number(!final.whole) : unreachableStatus;
      const { id, host, controlPort, isVisitor } = options;
      const isKnown = reached && isVisitor && controlPort !== undefined;
      const forgotten = isKnown ? forgetVisitor({ id, host, controlPort }) : Promise.resolve();
      void forgotten.then(() => resolve(status));
    }
  });
}

const stopReason = 'stopped';

function describe({
  client,
  maxAgeUs,
  done,
  reason,
}: {
  readonly client: ProbeClient;
  readonly maxAgeUs: number;
  readonly done: boolean;
  readonly reason: string;
}): ProbeReport {
  const { continuity, sync } = client;
  const faults = continuity.gaps + continuity.duplicates + client.decodeErrors;
  const isCutOff = done && reason !== stopReason;
  return {
    done,
    whole: client.decoder !== undefined && client.chunks > 0 && faults === 0 && !isCutOff,
    codec: client.codec,
    format: client.decoder?.format.toString() ?? '',
    bufferMs: client.settings?.bufferMs ?? null,
    chunks: client.chunks,
    payloadBytes: client.payloadBytes,
    gaps: continuity.gaps,
    missingMs: milliseconds(continuity.missingUs),
    duplicates: continuity.duplicates,
    decodeErrors: client.decodeErrors,
    ageMs: client.ageUs === undefined ? null : milliseconds(client.ageUs),
    maxAgeMs: Number.isFinite(maxAgeUs) ? milliseconds(maxAgeUs) : null,
    firstChunkMs: client.firstChunkMs === undefined ? null : Math.round(client.firstChunkMs),
    offsetMs: milliseconds(sync.offsetUs),
    roundTripMs: milliseconds(sync.roundTripUs),
    reason,
  };
}

function milliseconds(us: number): number {
  return Math.round(us) / 1000;
}

function print(report: ProbeReport, options: ProbeOptions, output: ProbeOutput): void {
  if (options.json) {
    output.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const line = describeInWords(report);
  if (output.isTerminal && !report.done) output.write(`\r\u001b[K${line}`);
  else output.write(`${output.isTerminal ? '\r\u001b[K' : ''}${line}\n`);
  if (!report.done) return;
  const verdict = report.whole ? 'the stream was whole' : 'the stream was NOT whole';
  output.write(`${report.chunks > 0 ? verdict : 'no audio arrived'} (${report.reason})\n`);
}

function describeInWords(report: ProbeReport): string {
  const { ageMs, maxAgeMs } = report;
  return [
    `${report.codec || 'no codec'} ${report.format}`.trim(),
    `chunks ${report.chunks}`,
    `gaps ${report.gaps} (${report.missingMs} ms)`,
    `duplicates ${report.duplicates}`,
    `undecodable ${report.decodeErrors}`,
    `age ${ageMs ?? '-'} ms (max ${maxAgeMs ?? '-'})`,
    `offset ${report.offsetMs} ms`,
    `round trip ${report.roundTripMs} ms`,
  ].join('  ');
}
