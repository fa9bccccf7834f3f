import { expect } from 'vitest';
import { Application, type ApplicationOptions } from '../../src/app/application.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { LogLines } from './log-lines.ts';
import { until } from './waiting.ts';

/** A real server inside the test process, on a port of its own, with every check switched on. */
export class TestServer {
  readonly application: Application;
  readonly log: LogLines;

  /** Settings as on the command line: `stream.codec=pcm`. */
  static start(...settings: string[]): Promise<TestServer> {
    return TestServer.startWith({}, ...settings);
  }

  /** The same with other options; with a logger of the test `log` stays empty. */
  static async startWith(
    options: Partial<Omit<ApplicationOptions, 'config'>>,
    ...settings: string[]
  ): Promise<TestServer> {
    const log = new LogLines();
    const overrides = [
      'tcp-streaming.bind_to_address=127.0.0.1',
      'tcp-streaming.port=0',
      'http.bind_to_address=127.0.0.1',
      'http.port=0',
      'tcp-control.bind_to_address=127.0.0.1',
      'tcp-control.port=0',
      'server.mdns_enabled=false',
      ...settings,
    ].map((setting) => {
      const [, section = '', key = '', value = ''] = /^([^.]+)\.([^=]+)=(.*)$/s.exec(setting) ?? [];
      return { section, key, value, origin: `--${setting}` };
    });
    const { config } = loadConfig({ searchPaths: [], overrides });
    const application = await Application.start({
      config,
      logger: log,
      verifySeals: true,
      ...options,
    });
    return new TestServer(application, log);
  }

  private constructor(application: Application, log: LogLines) {
    this.application = application;
    this.log = log;
  }

  get port(): number {
    return this.application.ports.streaming;
  }

  get controlPort(): number {
    return this.application.ports.control;
  }

  get httpPort(): number {
    return this.application.ports.http;
  }

  /** Stops the server: fails unless every chunk has come home. */
  async stop(): Promise<void> {
    await this.application.close();
    expect(this.application.pool.isFull).toBe(true);
  }

  async untilSessions(count: number): Promise<void> {
    await until(() => this.application.server.sessionCount === count);
    expect(this.application.server.sessionCount).toBe(count);
  }
}
