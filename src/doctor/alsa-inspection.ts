import { readdirSync } from 'node:fs';
import { openAlsaSource } from '../audio/sources/alsa-source.ts';
import type { SourceContext } from '../audio/sources/stream-source.ts';
import type { StreamOptions } from '../audio/stream-options.ts';
import { within } from '../base/time/within.ts';
import type { DoctorContext } from './context.ts';
import { type Finding, note, warning } from './finding.ts';
import { NoteTaker } from './note-taker.ts';
import { describeProcess } from './process-table.ts';
import { runningServer } from './running-server.ts';
import { refusalOf } from './server-user.ts';

const heardMs = 100;
const patienceMs = 2000;
const deviceFolder = '/dev/snd';
const silent = warning(
  'the device can be opened, and gives no audio',
  'let it record something by "arecord -D DEVICE -f cd -d 3 x.wav"',
);

/** Hears the device for a moment. */
export async function inspectAlsa(
  options: StreamOptions,
  context: DoctorContext,
): Promise<readonly Finding[]> {
  const refusal = refusalOfCards(context);
  if (refusal !== undefined) {
    const mend = `put it into the group audio: usermod -a -G audio ${context.serverUser.name}`;
    return [warning(refusal, mend)];
  }
  const logger = new NoteTaker();
  const isHeard = await hear({ ...options, logger }, context);
  if (isHeard) return [];
  const complaint = logger.take().at(-1) ?? silent;
  const server = runningServer(context);
  if (!server || !/resource busy/i.test(complaint.text)) return [complaint];
  return [note(`the device is in use, as by the running server, ${describeProcess(server)}`)];
}

async function hear(context: SourceContext, { native }: DoctorContext): Promise<boolean> {
  const source = await openAlsaSource(context, native);
  const { format } = source;
  try {
    const heard = new Promise<boolean>((resolve) => {
      source.start({
        filled: () => resolve(true),
        interrupted: () => resolve(false),
        properties: () => undefined,
        failed: () => resolve(false),
      });
      source.read(Buffer.alloc(format.framesIn(heardMs) * format.frameBytes));
    });
    return (await within(heard, patienceMs)) ?? false;
  } finally {
    await source.stop();
  }
}

/** Why the user of the server may not hear any card that this process may. */
function refusalOfCards({ serverUser }: DoctorContext): string | undefined {
  if (serverUser.isOwn) return undefined;
  const cards = listing(deviceFolder).filter((name) => /^pcm\w+c$/.test(name));
  const refusals = cards.map((name) => refusalOf(serverUser, `${deviceFolder}/${name}`, 'read'));
  return refusals.every((refusal) => refusal !== undefined) ? refusals[0] : undefined;
}

function listing(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
