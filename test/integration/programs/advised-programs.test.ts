import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { numberedBytes } from '../../support/pcm-fixtures.ts';
import { makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';
import { SourceHarness } from '../../support/source-harness.ts';
import { until } from '../../support/waiting.ts';

// What is advised in place of streams that are missing, given to the programs themselves.

let folder: string;
const harnesses: SourceHarness[] = [];

beforeEach(() => {
  folder = makeScratchFolder();
  // Whatever sound servers this machine has, the programs find none.
  vi.stubEnv('DBUS_SYSTEM_BUS_ADDRESS', `unix:path=${join(folder, 'no-bus')}`);
});

afterEach(async () => {
  await Promise.all(harnesses.splice(0).map(({ source }) => source.stop()));
  vi.unstubAllEnvs();
  removeScratchFolder(folder);
});

const isMissing = (program: string) =>
  !process.env.CI && spawnSync(program, ['--help']).error !== undefined;

/** Starts what is advised for an address of upstream. */
function startAdvised(address: string): SourceHarness {
  let advice = '';
  try {
    new SourceHarness(address);
  } catch (error) {
    advice = (error as Error).message;
  }
  const harness = new SourceHarness(
    `${advice.slice(advice.indexOf('process://'))}&log_stderr=true`,
  ).start();
  harnesses.push(harness);
  return harness;
}

describe('arecord', () => {
  it.skipIf(isMissing('arecord'))('records what the device hears, sample by sample', async () => {
    const heard = numberedBytes(400_000);
    const file = join(folder, 'heard.raw');
    writeFileSync(file, heard);
    const device = `type file; slave.pcm null; file /dev/null; infile ${file}; format raw`;
    writeFileSync(join(folder, 'asound.conf'), `pcm.zc { ${device} }\n`);
    vi.stubEnv('ALSA_CONFIG_PATH', `/usr/share/alsa/alsa.conf:${join(folder, 'asound.conf')}`);
    const harness = startAdvised('alsa:///?name=Line&device=zc&sampleformat=44100:24:2');
    expect(harness.source.format.toString()).toBe('44100:24:2');
    expect((await harness.read(heard.length)).equals(heard)).toBe(true);
  });
});

describe('a program that finds no server to record from', () => {
  it.for([['arecord', 'alsa:///?name=A&device=hw:77', /audio open error/]] as const)(
    '%s understands its arguments: %s',
    async ([program, address, complaint], { skip }) => {
      skip(isMissing(program), `${program} is not installed`);
      const harness = startAdvised(address);
      await until(() => harness.logged('program ended').length > 0, `${program} has ended`);
      // Which of its lines is the last one depends on the threads of the program.
      const said = harness.logged('program says').map(({ fields }) => fields.line);
      expect(said.join('\n')).toMatch(complaint);
    },
  );
});
