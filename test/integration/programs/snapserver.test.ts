import { afterEach, describe, expect, it } from 'vitest';
import { ControlClient } from '../../support/control-client.ts';
import { scratchFolder } from '../../support/fifo.ts';
import { Snapserver, snapserverIsMissing } from '../../support/snapserver.ts';

const folder = scratchFolder();
let server: Snapserver | undefined;

afterEach(async () => {
  await server?.kill();
  folder.remove();
});

describe.skipIf(snapserverIsMissing)('the original server', () => {
  it('plays the streams that it is given and answers controllers', async () => {
    server = await Snapserver.start(
      [`pipe://${folder.path}/shown?name=shown`, `pipe://${folder.path}/fed?name=fed&codec=null`],
      ['codec = pcm'],
    );
    const controller = await ControlClient.connect(server.controlPort);
    const { streams } = await controller.status();
    controller.close();
    expect(streams.map(({ id }) => id)).toEqual(['shown']);
  });
});
