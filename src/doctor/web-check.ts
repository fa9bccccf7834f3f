import { X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { loadTlsMaterial } from '../http/tls-material.ts';
import type { DoctorContext } from './context.ts';
import { type Check, type Finding, fault, faultOf, note, ok, warning } from './finding.ts';
import { NoteTaker } from './note-taker.ts';
import { refusalOf } from './server-user.ts';

const dayMs = 86_400_000;
const soonDays = 30;
const renewal = 'renew it (zerocast make-certificate --renew, if that made it)';

/** The web pages and the certificate. */
export function webCheck(context: DoctorContext): Check {
  return {
    name: 'web pages and TLS',
    run: async () => [...checkPages(context), ...(await checkCertificate(context))],
  };
}

function checkPages({ config, serverUser }: DoctorContext): readonly Finding[] {
  const { docRoot, enabled, sslEnabled } = config.http;
  if (!enabled && !sslEnabled) return [note('HTTP is off')];
  if (docRoot === '') return [ok('the built-in web page is served')];
  const advice = 'correct doc_root in [http], or leave it empty for the built-in page';
  if (!statSync(docRoot, { throwIfNoEntry: false })?.isDirectory()) {
    return [fault(`doc_root ${docRoot} is no folder`, advice)];
  }
  const page = join(docRoot, 'index.html');
  if (!statSync(page, { throwIfNoEntry: false })) {
    return [warning(`doc_root ${docRoot} has no index.html`, advice)];
  }
  const refusal = refusalOf(serverUser, page, 'read');
  return refusal === undefined
    ? [ok(`web pages are served from ${docRoot}`)]
    : [fault(`the web pages cannot be read: ${refusal}`, `chmod -R a+rX ${docRoot}`)];
}

async function checkCertificate(context: DoctorContext): Promise<readonly Finding[]> {
  const { ssl, http } = context.config;
  const logger = new NoteTaker();
  try {
    const tls = await loadTlsMaterial({ ...ssl, isWanted: http.sslEnabled, logger });
    if (!tls) return [note('HTTPS is off')];
    const certificate = new X509Certificate(tls.cert);
    return [
      validity(certificate),
      ...hostFindings(certificate, context.config),
      ...keyFindings(context),
    ];
  } catch (error) {
    return [faultOf(error, 'correct certificate and certificate_key in [ssl]')];
  }
}

function validity({ validFrom, validTo }: X509Certificate): Finding {
  const now = Date.now();
  const days = Math.floor((Date.parse(validTo) - now) / dayMs);
  if (now < Date.parse(validFrom)) {
    const text = `the certificate is not valid before ${validFrom}`;
    return fault(text, 'check the clock of this machine, or get another certificate');
  }
  if (now > Date.parse(validTo)) {
    return fault(`the certificate expired on ${validTo}`, `${renewal}, then restart or reload`);
  }
  if (days < soonDays) {
    return warning(`the certificate expires in ${days} days, on ${validTo}`, renewal);
  }
  return ok(`the certificate is valid until ${validTo}`);
}

function hostFindings(certificate: X509Certificate, { http }: Config): readonly Finding[] {
  const names = [http.host, `${http.host}.local`];
  const isCovered = names.some((name) =>
    isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name),
  );
  if (isCovered) return [];
  const covered = certificate.subjectAltName ?? certificate.subject.replaceAll('\n', ', ');
  const text = `the certificate is for ${covered}, not for ${http.host}`;
  return [warning(text, 'set host in [http] to a name of the certificate, or get another one')];
}

/** Only where the files lie as they are named: others are found by the server in its folders. */
function keyFindings({ config, serverUser }: DoctorContext): readonly Finding[] {
  const path = config.ssl.certificateKey;
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return [];
  const refusal = refusalOf(serverUser, path, 'read');
  if (refusal !== undefined) {
    return [
      fault(`the private key cannot be used: ${refusal}`, `chgrp its group, chmod 640 ${path}`),
    ];
  }
  if ((stats.mode & 0o004) === 0) return [];
  const text = `the private key ${path} can be read by every user of this machine`;
  return [warning(text, `chmod 640 ${path}`)];
}
