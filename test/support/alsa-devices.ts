import { spawnSync } from 'node:child_process';
import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** True when ALSA is not installed; under CI that is a failure, not a reason to skip. */
export const alsaIsMissing =
  !process.env.CI && spawnSync('arecord', ['--version']).error !== undefined;

/** The ways to hear a device, and what of the environment makes a source choose each. */
export const alsaWays = [
  ['libasound', {}],
  ['arecord', { ZEROCAST_NATIVE: 'off' }],
] as const;

/**
 * Devices of ALSA without any sound card: each hears what lies in a file, as fast as it is read.
 *
 * `configuration` is for `ALSA_CONFIG_PATH`.
 */
export class AlsaDevices {
  readonly configuration: string;
  readonly #folder: string;
  readonly #devices = new Map<string, string>();
  #writes = 0;

  /** All lies in `folder`, which is the caller's. */
  constructor(folder: string) {
    this.#folder = folder;
    this.configuration = `/usr/share/alsa/alsa.conf:${this.#file}`;
    this.#write();
  }

  /** Makes, or makes anew, a device that hears this, in whatever format it is asked for. */
  hears(name: string, pcm: Uint8Array): void {
    const input = join(this.#folder, `${name}.raw`);
    writeFileSync(input, pcm);
    this.define(name, `{ type file; slave.pcm null; file /dev/null; infile ${input}; format raw }`);
  }

  define(name: string, definition: string): void {
    this.#devices.set(name, definition);
    this.#write();
  }

  remove(name: string): void {
    this.#devices.delete(name);
    this.#write();
  }

  get #file(): string {
    return join(this.#folder, 'asound.conf');
  }

  #write(): void {
    const lines = [...this.#devices].map(([name, text]) => `pcm.${JSON.stringify(name)} ${text}\n`);
    writeFileSync(this.#file, lines.join(''));
    // What was written within the same second would not be seen to be new.
    this.#writes += 1;
    utimesSync(this.#file, this.#writes, this.#writes);
  }
}
