import {
  type CertificatePlace,
  type CertificateRequest,
  makeServerCertificate,
  type ServerCertificate,
} from './server-certificate.ts';

/**
 * Makes the certificate, and says what is to be done with it.
 *
 * Failure: rejects with a `ConfigError`, or with the error of the system.
 */
export async function makeCertificateCommand(
  request: CertificateRequest,
  place: CertificatePlace & { readonly httpPort: number; readonly httpsPort: number },
): Promise<string> {
  const made = await makeServerCertificate(request, place);
  const parts = [
    outcomeText(made),
    request.mode === 'renew' ? renewedText : settingsText(made),
    request.mode === 'renew' ? '' : devicesText(made, place),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function outcomeText({ files, fingerprint, names, leftOut, validTo }: ServerCertificate): string {
  const lines = [
    `The certificate is valid until ${validTo.toISOString().slice(0, 10)}, for`,
    `  ${names.join(', ')}`,
  ];
  if (leftOut.length > 0) {
    lines.push(
      `Left out, as its authority was not made for them: ${leftOut.join(', ')}`,
      '(--replace makes an authority that is; devices then have to install that one)',
    );
  }
  lines.push(
    `${files.authority ? 'The authority has' : 'It has'} the SHA-256 fingerprint`,
    `  ${fingerprint}`,
  );
  return `${lines.join('\n')}\n`;
}

const renewedText = `The server uses it after a reload:
  systemctl reload zerocast, or kill -HUP <its process>
Phones and computers need nothing new.
`;

function settingsText({ files: { certificate, key } }: ServerCertificate): string {
  return `Write into zerocast.conf, and start the server anew:

  [http]
  ssl_enabled = true

  [ssl]
  certificate = ${certificate}
  certificate_key = ${key}
`;
}

function devicesText(
  { files, names }: ServerCertificate,
  { httpPort, httpsPort }: { readonly httpPort: number; readonly httpsPort: number },
): string {
  const name = names.find((one) => one.endsWith('.local')) ?? names[0];
  const page = `https://${name}:${httpsPort}/`;
  if (!files.authority) {
    return `Then open ${page} and tell the browser that you trust it.\n`;
  }
  return `Then, once on each phone and computer that is to trust it:

  1. Open http://${name}:${httpPort}/ca.crt in its browser, which loads the certificate of the
     authority (${files.authority}).
  2. iPhone, iPad: Settings, General, VPN & Device Management: install the profile; then Settings,
     General, About, Certificate Trust Settings: switch it on.
     Android: Settings, Security, Encryption & credentials, Install a certificate, CA certificate.
     Windows: open the file, install it into "Trusted Root Certification Authorities".
     macOS: open it with Keychain Access, and set it to "Always Trust".
     Firefox: Settings, Certificates, Import.
  3. Compare the fingerprint with the one above, and open ${page}

The authority may sign for names and addresses of this network alone. Keep ca.key to yourself.
`;
}
