import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export interface CertificateOptions {
  readonly folder: string;
  /** The files become `<name>.crt` and `<name>.key`. */
  readonly name: string;
  /** Name of the certificate that signs; absent: it signs itself. */
  readonly issuer?: string;
  /** Shape: what `openssl req -newkey` takes; absent: elliptic. */
  readonly keyType?: string;
}

export function openssl(...parameters: readonly string[]): void {
  execFileSync('openssl', parameters, { stdio: 'pipe' });
}

/** Makes a key and a certificate for 127.0.0.1, valid from now on for two days. */
export function makeCertificate(options: CertificateOptions): void {
  const { folder, name, issuer, keyType } = options;
  const at = (file: string) => join(folder, file);
  const signer = issuer ? ['-CA', at(`${issuer}.crt`), '-CAkey', at(`${issuer}.key`)] : [];
  const curve = keyType ? [] : ['-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const key = ['-newkey', keyType ?? 'ec', ...curve, '-nodes', '-keyout', at(`${name}.key`)];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  openssl('req', '-x509', ...signer, ...key, ...subject, '-days', '2', '-out', at(`${name}.crt`));
}
