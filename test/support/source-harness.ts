import { SampleFormat } from '../../src/audio/sample-format.ts';
import { createSource, openSource } from '../../src/audio/sources/sources.ts';
import type {
  InputQueue,
  SourceContext,
  SourceSink,
  SourceSurroundings,
  StreamSource,
} from '../../src/audio/sources/stream-source.ts';
import type { StreamProperties } from '../../src/audio/stream-properties.ts';
import { parseStreamUri } from '../../src/audio/stream-uri.ts';
import type { SourceError } from '../../src/base/errors.ts';
import type { LogFields, Logger } from '../../src/base/logger.ts';
import { until } from './waiting.ts';

export interface LogRecord {
  readonly level: string;
  readonly phrase: string;
  readonly fields: LogFields;
}

/** A logger that keeps what it is told. */
export function recordingLogger(): { readonly logger: Logger; readonly records: LogRecord[] } {
  const records: LogRecord[] = [];
  const keep =
    (level: string) =>
    (phrase: string, fields: LogFields = {}) => {
      records.push({ level, phrase, fields });
    };
  const logger: Logger = {
    trace: keep('trace'),
    debug: keep('debug'),
    info: keep('info'),
    notice: keep('notice'),
    warn: keep('warn'),
    error: keep('error'),
    fatal: keep('fatal'),
    report: ({ phrase, fields }) => keep('info')(phrase, fields),
    isEnabled: () => true,
    tagged: () => logger,
  };
  return { logger, records };
}

/** What a factory of sources is given for an address. */
export function sourceContext(
  address: string,
  logger: Logger,
  sampleformat = '48000:16:2',
  inputQueue?: InputQueue | undefined,
): SourceContext {
  const uri = parseStreamUri(address);
  return {
    uri,
    format: SampleFormat.parse(uri.query.sampleformat ?? sampleformat),
    formatIsExplicit: uri.query.sampleformat !== undefined,
    packed24: ['true', '1'].includes(uri.query.packed_s24le ?? ''),
    chunkMs: 20,
    sendSilence: uri.query.send_silence === 'true',
    bufferMs: 1000,
    resyncToleranceMs: 250,
    inputQueue,
    logger,
  };
}

/** Reads a source the way a stream does and remembers what it was told. */
export class SourceHarness implements SourceSink {
  readonly source: StreamSource;
  readonly records: LogRecord[];
  readonly interruptions: string[] = [];
  readonly failures: SourceError[] = [];
  /** What was played at each time. */
  readonly told: StreamProperties[] = [];
  filledCount = 0;

  /** `origin`: an address, or a source that is made already, and what its making logged. */
  constructor(
    origin: string | StreamSource,
    sampleformat?: string | undefined,
    inputQueue?: InputQueue | undefined,
    records: LogRecord[] = [],
  ) {
    if (typeof origin !== 'string') {
      this.source = origin;
      this.records = records;
      return;
    }
    const recording = recordingLogger();
    this.records = recording.records;
    this.source = createSource(sourceContext(origin, recording.logger, sampleformat, inputQueue));
  }

  /** Also of kinds whose code is loaded when it is needed. */
  static async open(
    address: string,
    { sampleformat, ...surroundings }: { sampleformat?: string } & SourceSurroundings = {},
  ): Promise<SourceHarness> {
    const { logger, records } = recordingLogger();
    const context = { ...sourceContext(address, logger, sampleformat), ...surroundings };
    return new SourceHarness(await openSource(context), undefined, undefined, records);
  }

  start(): this {
    this.source.start(this);
    return this;
  }

  filled(): void {
    this.filledCount += 1;
  }

  interrupted(reason: string): void {
    this.interruptions.push(reason);
  }

  properties(properties: StreamProperties): void {
    this.told.push(properties);
  }

  failed(error: SourceError): void {
    this.failures.push(error);
  }

  /** Asks for `bytes` without waiting for them. */
  ask(bytes: number): Buffer {
    const target = Buffer.alloc(bytes, 0xee);
    this.source.read(target);
    return target;
  }

  /** Waits until the outstanding read is done. */
  async whenFilled(count: number): Promise<void> {
    await until(() => this.filledCount >= count || this.failures.length > 0, 'a target is full');
    if (this.failures[0]) throw this.failures[0];
  }

  async read(bytes: number): Promise<Buffer> {
    const count = this.filledCount + 1;
    const target = this.ask(bytes);
    await this.whenFilled(count);
    return target;
  }

  logged(phrase: string): LogRecord[] {
    return this.records.filter((record) => record.phrase === phrase);
  }
}
