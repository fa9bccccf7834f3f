import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificate } from './certificates.ts';

export interface CertificatePair {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** A new key with a self-signed certificate; without `keyType` an elliptic one. */
export function certificatePair(keyType?: string): CertificatePair {
  const folder = mkdtempSync(join(tmpdir(), 'zerocast-certificate-'));
  try {
    makeCertificate({ folder, name: 'token', ...(keyType && { keyType }) });
    return {
      certificatePem: readFileSync(join(folder, 'token.crt'), 'utf8'),
      privateKeyPem: readFileSync(join(folder, 'token.key'), 'utf8'),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
