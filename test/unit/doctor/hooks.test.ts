import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hooksCheck } from '../../../src/doctor/hooks-check.ts';
import { doctorContext, type Settings, textsOf } from '../../support/doctor-rig.ts';
import { makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';

const check = (...settings: Settings) => hooksCheck(doctorContext(settings));

it('hooks are looked at without running them', async () => {
  const folder = makeScratchFolder();
  const program = join(folder, 'amp');
  writeFileSync(program, '#!/bin/sh\ntouch ran\n');
  chmodSync(program, 0o755);
  const here = check(
    ['hooks.on_playing', `stream:Radio ${program} on`],
    ['hooks.on_idle', 'GET http://127.0.0.1:9/off?token=secret'],
  );
  expect(await textsOf(here, 'ok')).toEqual(['2 hooks can be run']);
  const [absent] = await textsOf(check(['hooks.on_idle', `${folder}/absent off`]), 'fault');
  expect(absent).toMatch(/absent.* -> /);
  expect(await textsOf(check(), 'note')).toEqual(['nothing is run when something plays']);
  removeScratchFolder(folder);
});
