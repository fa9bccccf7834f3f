import { moreTexts } from '../text/more-texts.ts';
import { health } from './health.ts';

/** What HTTPS gives, and how to get it here. */
export function HttpsHelp() {
  const words = moreTexts.value;
  const { ports, certificate } = health.value ?? {};
  const isEncrypted = location.protocol === 'https:';
  const address = `https://${location.hostname}:${ports?.https}${location.pathname}`;
  return (
    <section class="card">
      <h2>{words.https}</h2>
      <p>{isEncrypted ? words.httpsIs : words.httpsGives}</p>
      {!isEncrypted && certificate && (
        <p>
          {words.httpsThere} <a href={address}>{address}</a>
        </p>
      )}
      {certificate?.authority && (
        <>
          <p>{words.httpsTrust}</p>
          <p class="fingerprint">{certificate.authority}</p>
          <p>
            <a href="ca.crt" download="zerocast-ca.crt">
              {words.httpsLoad}
            </a>
          </p>
          <p class="hint">{words.httpsPhones}</p>
        </>
      )}
      {!isEncrypted && !certificate && (
        <>
          <p>{words.httpsMake}</p>
          <pre>zerocast make-certificate</pre>
        </>
      )}
    </section>
  );
}
