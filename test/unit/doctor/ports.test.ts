import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { portsCheck } from '../../../src/doctor/port-check.ts';
import { sourcesCheck } from '../../../src/doctor/source-check.ts';
import { webCheck } from '../../../src/doctor/web-check.ts';
import { makeCertificate, openssl } from '../../support/certificates.ts';
import { doctorContext, type Settings, textsOf } from '../../support/doctor-rig.ts';
import { makeScratchFolder, removeScratchFolder } from '../../support/scratch-folder.ts';
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
      expect.stringMatching(/doc_root .*pages is no folder -> install Snapweb/),
    ]);
    mkdirSync(join(folder, 'pages'));
    expect(await textsOf(check(), 'warning')).toEqual([expect.stringMatching(/no index.html/)]);
    writeFileSync(join(folder, 'pages', 'index.html'), '');
    expect(await textsOf(check(), 'ok')).toEqual([expect.stringMatching(/are served from/)]);
  });

  describe('by TLS', () => {
    const check = (certificate: string, key = certificate, more: Settings = []) =>
      webCheck(
        doctorContext([
          ['http.ssl_enabled', 'true'],
          ['http.host', '127.0.0.1'],
          ['ssl.certificate', join(folder, `${certificate}.crt`)],
          ['ssl.certificate_key', join(folder, `${key}.key`)],
          ...more,
        ]),
      );

    /** Signs the certificate anew, to be valid for other days. */
    function validFor(days: number): void {
      const [crt, key, csr] = ['crt', 'key', 'csr'].map((end) => join(folder, `own.${end}`));
      openssl('x509', '-x509toreq', '-in', crt!, '-signkey', key!, '-out', csr!);
      const times = ['-days', String(days), '-copy_extensions', 'copyall'];
      openssl('x509', '-req', '-in', csr!, '-signkey', key!, ...times, '-out', crt!);
    }

    beforeEach(() => makeCertificate({ folder, name: 'own' }));

    it('need a certificate that holds for a while', async () => {
      expect(await textsOf(check('own'), 'warning')).toEqual([
        expect.stringMatching(/the certificate expires in 1 days.* -> renew it/),
      ]);
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
