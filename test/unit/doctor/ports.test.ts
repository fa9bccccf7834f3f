import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { DoctorContext } from '../../../src/doctor/context.ts';
import { portsCheck } from '../../../src/doctor/port-check.ts';
import { serverUserOf } from '../../../src/doctor/server-user.ts';
import { sourcesCheck } from '../../../src/doctor/source-check.ts';
import { webCheck } from '../../../src/doctor/web-check.ts';
import { makeCertificate, openssl } from '../../support/certificates.ts';
import { doctorContext, type Settings, textsOf } from '../../support/doctor-rig.ts';
import { isRoot, makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';
import { accepts, freePort } from '../../support/server-process.ts';

const onlyStreaming: Settings = [
  ['tcp-control.enabled', 'false'],
  ['http.enabled', 'false'],
];

async function listening(): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

describe('a port', () => {
  const check = (port: number, address = '127.0.0.1', more: Settings = []) =>
    portsCheck(
      doctorContext([
        ...onlyStreaming,
        ['tcp-streaming.port', String(port)],
        ['tcp-streaming.bind_to_address', address],
        ...more,
      ]),
    );

  it('that is free is fine, and free again afterwards', async () => {
    const port = await freePort();
    expect(await textsOf(check(port), 'ok')).toEqual([
      `port ${port} is free (tcp-streaming on 127.0.0.1)`,
    ]);
    expect(await accepts(port)).toBe(false);
  });

  it.each(['127.0.0.1', '0.0.0.0', '::'])(
    'that is taken is a fault on %s, with the program that has it',
    async (address) => {
      const { server, port } = await listening();
      try {
        const [fault, ...others] = await textsOf(check(port, address), 'fault');
        expect(others).toEqual([]);
        expect(fault).toContain(`port ${port} of tcp-streaming is in use by node`);
        expect(fault).toMatch(new RegExp(`\\(process ${process.pid}\\) -> stop node.*, or choose`));
      } finally {
        server.close();
      }
    },
  );

  it('on an address of another machine is a fault', async () => {
    expect(await textsOf(check(await freePort(), '192.0.2.1'), 'fault')).toEqual([
      expect.stringMatching(/EADDRNOTAVAIL.* -> correct bind_to_address/),
    ]);
  });

  it('for two listeners is a fault', async () => {
    const port = await freePort();
    const twice = check(port, '127.0.0.1', [
      ['tcp-control.enabled', 'true'],
      ['tcp-control.port', String(port)],
    ]);
    expect(await textsOf(twice, 'fault')).toEqual([
      expect.stringMatching(/is wanted by both tcp-streaming and tcp-control/),
    ]);
  });

  it('must be there', async () => {
    const none = portsCheck(doctorContext([...onlyStreaming, ['tcp-streaming.enabled', 'false']]));
    expect(await textsOf(none, 'fault')).toEqual([expect.stringMatching(/nothing listens/)]);
  });

  it('of a source is tried too', async () => {
    const { server, port } = await listening();
    const source = (taken: number) =>
      sourcesCheck(doctorContext([['stream.source', `tcp://127.0.0.1:${taken}?name=A`]]));
    try {
      expect(await textsOf(source(port), 'fault')).toEqual([
        expect.stringMatching(/stream "A": port \d+ of port of tcp is in use by node/),
      ]);
      expect(await textsOf(source(await freePort()), 'fault')).toEqual([]);
    } finally {
      server.close();
    }
  });
});

describe('web pages', () => {
  let folder: string;
  beforeEach(() => {
    folder = makeScratchFolder();
  });
  afterEach(() => removeScratchFolder(folder));

  it('need a folder with a first page', async () => {
    const check = () => webCheck(doctorContext([['http.doc_root', join(folder, 'pages')]]));
    expect(await textsOf(check(), 'fault')).toEqual([
      expect.stringMatching(/doc_root .*pages is no folder -> correct doc_root/),
    ]);
    mkdirSync(join(folder, 'pages'));
    expect(await textsOf(check(), 'warning')).toEqual([expect.stringMatching(/no index.html/)]);
    writeFileSync(join(folder, 'pages', 'index.html'), '');
    expect(await textsOf(check(), 'ok')).toEqual([expect.stringMatching(/are served from/)]);
  });

  it('are our own where none are set, and none where HTTP is off', async () => {
    const ours = () => webCheck(doctorContext([['http.doc_root', '']]));
    expect(await textsOf(ours(), 'ok')).toEqual(['the built-in web page is served']);
    expect(await textsOf(ours(), 'note')).toEqual(['HTTPS is off']);
    const off: Settings = [['http.enabled', 'false']];
    expect(await textsOf(webCheck(doctorContext(off)), 'note')).toEqual([
      'HTTP is off',
      'HTTPS is off',
    ]);
    const onlyTls = webCheck(doctorContext([...off, ['http.ssl_enabled', 'true']]));
    expect(await textsOf(onlyTls, 'note')).not.toContain('HTTP is off');
  });

  it.skipIf(!isRoot)('must be open to the user of the server', async () => {
    const serverUser = serverUserOf('nobody', '');
    const check = webCheck(doctorContext([['http.doc_root', folder]], { serverUser }));
    const page = join(folder, 'index.html');
    writeFileSync(page, '');
    chmodSync(page, 0o600);
    expect(await textsOf(check, 'fault')).toEqual([
      `the web pages cannot be read: ${page} may not be read by nobody -> chmod -R a+rX ${folder}`,
    ]);
    chmodSync(page, 0o604);
    expect(await textsOf(check, 'fault')).toEqual([]);
  });

  describe('by TLS', () => {
    const check = (
      certificate: string,
      key = certificate,
      more: Settings = [],
      changes: Partial<DoctorContext> = {},
    ) =>
      webCheck(
        doctorContext(
          [
            ['http.ssl_enabled', 'true'],
            ['http.host', '127.0.0.1'],
            ['ssl.certificate', join(folder, `${certificate}.crt`)],
            ['ssl.certificate_key', join(folder, `${key}.key`)],
            ...more,
          ],
          changes,
        ),
      );

    /** Signs the certificate anew, to be valid for other days. */
    function validFor(days: number): void {
      const [crt, key] = [join(folder, 'own.crt'), join(folder, 'own.key')];
      openssl('x509', '-in', crt, '-signkey', key, '-days', String(days), '-out', crt);
    }

    beforeEach(() => makeCertificate({ folder, name: 'own' }));

    it('need a certificate that holds for a while', async () => {
      expect(await textsOf(check('own'), 'warning')).toEqual([
        expect.stringMatching(/the certificate expires in 1 days.* -> renew it/),
      ]);
      validFor(30);
      expect(await textsOf(check('own'), 'warning')).toEqual([
        expect.stringMatching(/the certificate expires in 29 days/),
      ]);
      validFor(31);
      expect(await textsOf(check('own'), 'warning')).toEqual([]);
      expect(await textsOf(check('own'), 'ok')).toContainEqual(
        expect.stringMatching(/^the certificate is valid until /),
      );
    });

    it('need a certificate for the name of the machine', async () => {
      const other = check('own', 'own', [['http.host', 'music.example']]);
      expect(await textsOf(other, 'warning')).toContainEqual(
        expect.stringMatching(/is for IP Address:127.0.0.1, not for music.example -> set host/),
      );
    });

    it('need a certificate that has not expired', async () => {
      validFor(-1);
      expect(await textsOf(check('own'), 'fault')).toEqual([
        expect.stringMatching(/the certificate expired on .* -> renew it/),
      ]);
    });

    it('need a clock that is not before the certificate', async () => {
      onTestFinished(() => void vi.useRealTimers());
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 86_400_000 });
      expect(await textsOf(check('own'), 'fault')).toEqual([
        expect.stringMatching(/the certificate is not valid before .* -> check the clock/),
      ]);
    });

    it('need a key that is open to the server, and to nobody else', async () => {
      const key = join(folder, 'own.key');
      validFor(31);
      chmodSync(key, 0o640);
      expect(await textsOf(check('own'), 'warning')).toEqual([]);
      chmodSync(key, 0o644);
      expect(await textsOf(check('own'), 'warning')).toEqual([
        `the private key ${key} can be read by every user of this machine -> chmod 640 ${key}`,
      ]);
      if (!isRoot) return;
      chmodSync(key, 0o600);
      const asNobody = check('own', 'own', [], { serverUser: serverUserOf('nobody', '') });
      expect(await textsOf(asNobody, 'fault')).toEqual([
        `the private key cannot be used: ${key} may not be read by nobody -> ` +
          `chgrp its group, chmod 640 ${key}`,
      ]);
    });

    it('need the key of the certificate', async () => {
      makeCertificate({ folder, name: 'other' });
      expect(await textsOf(check('own', 'other'), 'fault')).toEqual([
        expect.stringMatching(/does not belong to certificate .* -> name the key/),
      ]);
      expect(await textsOf(check('own', 'none'), 'fault')).toEqual([
        expect.stringMatching(/certificate_key does not exist .* -> correct the path/),
      ]);
    });
  });
});
