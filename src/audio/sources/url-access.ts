import { codeOf, messageOf } from '../../base/errors.ts';
import { AddressRules } from '../../base/net/address-rules.ts';
import { withoutSecrets } from '../../base/secrets.ts';
import type { SourceContext } from './stream-source.ts';

/** Which hosts a stream may ask. */
export function addressRulesOf({ allowsPrivateHosts }: SourceContext): AddressRules {
  return new AddressRules(allowsPrivateHosts?.() === false ? [] : ['*']);
}

/** Why a URL is not heard or read, as others may read it. */
export function faultText(fault: unknown): string {
  const message = withoutSecrets(messageOf(fault));
  if (codeOf(fault) !== 'private-address') return message;
  return `${message}: only a stream of the configuration may ask it, or radio_private in the section [stream] allows it`;
}
