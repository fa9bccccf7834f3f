import { describe, expect, it } from 'vitest';
import { basic } from '../support/http-rig.ts';
import { ReloadRig, sources } from '../support/reload-rig.ts';
import { TapClient } from '../support/tap-client.ts';
import { until } from '../support/waiting.ts';

describe('a tap, when the configuration is read again,', () => {
  const users = (role: string) =>
    `[authorization]\nenabled = true\nrole = listener:${role}\nuser = eve:secret:listener\n`;

  it('goes on while its stream and its login do, and ends with either', async () => {
    const text = (freq: number, role: string) =>
      `${sources(`tone:///?name=Tone&codec=pcm&freq=${freq}`)}${users(role)}`;
    const rig = await ReloadRig.start(text(440, 'Tap'));
    const open = () =>
      TapClient.open(
        rig.application.ports.http,
        '/streams/Tone/tap?as=pcm',
        basic('eve', 'secret'),
      );
    try {
      const first = await open();
      await rig.reload(text(440, 'Tap,Streaming'));
      const { length } = first.frames;
      await until(() => first.frames.length > length + 10, 'it goes on');
      expect(first.closed).toBeUndefined();
      await rig.reload(text(880, 'Tap'));
      await until(() => first.closed !== undefined, 'its stream was replaced');
      expect(first.closed?.reason).toContain('connect again');
      const second = await open();
      await until(() => second.frames.length > 10);
      await rig.reload(text(880, 'Streaming'));
      await until(() => second.closed !== undefined, 'its login may not listen any more');
      expect(second.closed).toEqual({ code: 1008, reason: 'the login does not hold any more' });
    } finally {
      await rig.close();
    }
  });
});
